-- When a cron expression is due next. pg_cron does not lend its parser, and knows one time zone only.
--
-- Where clocks change, an expression that names hours means what a clock on the wall shows: a time that is left out is
-- due at the moment the clock jumps, a time that comes twice is due the first time. One that is due in every hour means
-- time as it passes: nothing is added, and nothing left out.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function dibs.next_cron(p_cron text, p_time_zone text, p_after timestamptz) returns timestamptz
  language plpgsql stable set search_path = '' as $$
declare
  v_cron record := dibs.parse_cron(p_cron);
  v_hourly boolean := cardinality(v_cron.hours) = 24;
  v_last date := (p_after at time zone p_time_zone)::date + 3000;  -- from one 29th of February to the next
  v_at timestamptz := date_trunc('minute', p_after) + interval '1 minute';
  v_local timestamp := v_at at time zone p_time_zone;
  v_day date := v_local;
begin
  while v_day <= v_last loop
    if extract(month from v_day) <> all (v_cron.months) then
      v_day := date_trunc('month', v_day) + interval '1 month';
    elsif not dibs.is_cron_day(v_cron.days, v_cron.weekdays, v_cron.either, v_day) then
      v_day := v_day + 1;
    elsif v_hourly then
      v_at := greatest(v_at, dibs.first_moment(v_day, p_time_zone));
      v_local := v_at at time zone p_time_zone;
      -- A little beyond, since after midnight clocks may be set back into this day.
      while v_local < v_day + interval '26 hours' loop
        if extract(minute from v_local) = any (v_cron.minutes) and extract(month from v_local) = any (v_cron.months)
          and dibs.is_cron_day(v_cron.days, v_cron.weekdays, v_cron.either, v_local::date) then return v_at; end if;
        v_at := v_at + interval '1 minute';
        v_local := v_at at time zone p_time_zone;
      end loop;
      v_day := v_local;
    else
      foreach v_local in array array(
        select v_day + make_interval(hours => hour, mins => minute)
        from unnest(v_cron.hours) hour, unnest(v_cron.minutes) minute
        where v_day + make_interval(hours => hour, mins => minute) > p_after at time zone p_time_zone
        order by 1)
      loop
        v_at := dibs.first_moment(v_local, p_time_zone);
        if v_at > p_after then return v_at; end if;
      end loop;
      v_day := v_day + 1;
    end if;
  end loop;
  return null;
end $$;
comment on function dibs.next_cron(text, text, timestamptz) is
  'The first moment after p_after at which a cron expression is due in a time zone, such as Europe/Berlin; null when it
never is. Errors: PT400 for an expression that is none, saying what is wrong.';

create or replace function dibs.newest_cron(
    p_cron text, p_time_zone text, p_first timestamptz, p_until timestamptz) returns timestamptz
  language plpgsql stable set search_path = '' as $$
declare
  v_back interval;
  v_tick timestamptz := p_first;
  v_next timestamptz;
begin
  -- Not through all there were in between: those of a minute since last year are half a million.
  foreach v_back in array array['1 hour', '1 day', '32 days', '366 days']::interval[] loop
    exit when p_until - v_back <= p_first;
    v_next := dibs.next_cron(p_cron, p_time_zone, p_until - v_back);
    if v_next <= p_until then
      v_tick := v_next;
      exit;
    end if;
  end loop;
  loop
    v_next := dibs.next_cron(p_cron, p_time_zone, v_tick);
    if v_next > p_until or v_next is null then return v_tick; end if;
    v_tick := v_next;
  end loop;
end $$;
comment on function dibs.newest_cron(text, text, timestamptz, timestamptz) is
  'The newest moment until p_until at which a cron expression was due, given one: p_first.';

-- Days and moments ---------------------------------------------------------------------------------

create or replace function dibs.is_cron_day(p_days int[], p_weekdays int[], p_either boolean, p_day date)
  returns boolean
  language plpgsql immutable set search_path = '' as $$
declare
  v_day boolean := extract(day from p_day) = any (p_days)
    -- 32 stands for the last one.
    or 32 = any (p_days) and extract(day from p_day + 1) = 1;
  v_weekday boolean := extract(dow from p_day) = any (p_weekdays);
begin
  return case when p_either then v_day or v_weekday else v_day and v_weekday end;
end $$;
comment on function dibs.is_cron_day(int[], int[], boolean, date) is
  'Whether a cron expression is due on this day, if in this month. p_either: the day of the month or that of the week is
enough, since both are named.';

create or replace function dibs.first_moment(p_local timestamp, p_time_zone text) returns timestamptz
  language plpgsql stable set search_path = '' as $$
declare
  v_utc timestamptz := p_local at time zone 'UTC';
  -- As far off as no time zone is, and nearer than any that changes its clocks twice.
  v_before timestamptz := v_utc - dibs.utc_offset(v_utc - interval '16 hours', p_time_zone);
  v_after timestamptz := v_utc - dibs.utc_offset(v_utc + interval '16 hours', p_time_zone);
  v_middle timestamptz;
begin
  if v_before at time zone p_time_zone = p_local then return v_before; end if;
  if v_after at time zone p_time_zone = p_local then return v_after; end if;
  -- Left out: the clock jumps between the two.
  while v_before - v_after > interval '1 s' loop
    v_middle := date_trunc('second', v_after + (v_before - v_after) / 2);
    if v_middle at time zone p_time_zone < p_local then v_after := v_middle; else v_before := v_middle; end if;
  end loop;
  return v_before;
end $$;
comment on function dibs.first_moment(timestamp, text) is
  'When clocks of a time zone show this time for the first time; if they never do, when they jump over it.';

create or replace function dibs.utc_offset(p_at timestamptz, p_time_zone text) returns interval
  language plpgsql stable set search_path = '' as $$
begin
  return (p_at at time zone p_time_zone) - (p_at at time zone 'UTC');
end $$;
comment on function dibs.utc_offset(timestamptz, text) is 'By how much clocks of a time zone are ahead of UTC.';

-- Expressions --------------------------------------------------------------------------------------

create or replace function dibs.parse_cron(
    p_cron text, out minutes int[], out hours int[], out days int[], out months int[], out weekdays int[],
    out either boolean)
  language plpgsql immutable set search_path = '' as $$
declare
  v_fields text[] := regexp_split_to_array(
    case lower(btrim(p_cron))
      when '@hourly' then '0 * * * *'
      when '@daily' then '0 0 * * *'
      when '@midnight' then '0 0 * * *'
      when '@weekly' then '0 0 * * 0'
      when '@monthly' then '0 0 1 * *'
      when '@yearly' then '0 0 1 1 *'
      when '@annually' then '0 0 1 1 *'
      else lower(btrim(p_cron)) end, '\s+');
begin
  if cardinality(v_fields) is distinct from 5 then
    perform dibs.refuse('PT400',
      'p_cron must have five fields, minute, hour, day of the month, month and day of the week, not '
        || coalesce(cardinality(v_fields), 0),
      'Such as 30 9 * * mon-fri, or @hourly, @daily, @weekly, @monthly, @yearly.');
  end if;
  minutes := dibs.parse_cron_field(v_fields[1], 'minute', 0, 59);
  hours := dibs.parse_cron_field(v_fields[2], 'hour', 0, 23);
  days := dibs.parse_cron_field(v_fields[3], 'day of the month', 1, 31);
  months := dibs.parse_cron_field(v_fields[4], 'month', 1, 12,
    '{jan,feb,mar,apr,may,jun,jul,aug,sep,oct,nov,dec}');
  weekdays := dibs.parse_cron_field(v_fields[5], 'day of the week', 0, 7, '{sun,mon,tue,wed,thu,fri,sat}');
  either := v_fields[3] <> '*' and v_fields[5] <> '*';
end $$;
comment on function dibs.parse_cron(text) is
  'The minutes, hours, days (32: the last of a month), months and weekdays (0: Sunday) that a cron expression names, in
order. Errors: PT400 saying what is wrong.';

create or replace function dibs.parse_cron_field(
    p_field text, p_what text, p_least int, p_most int, p_names text[] default '{}') returns int[]
  language plpgsql immutable set search_path = '' as $$
declare
  v_part text;
  v_match text[];
  v_from int;
  v_to int;
  v_step int;
  v_values int[] := '{}';
begin
  foreach v_part in array string_to_array(p_field, ',') loop
    if v_part = 'l' and p_what = 'day of the month' then
      v_values := v_values || 32;
      continue;
    end if;
    v_match := regexp_match(v_part, '^(\*|([a-z]+|\d{1,2})(?:-([a-z]+|\d{1,2}))?)(?:/(\d{1,2}))?$');
    v_from := case when v_match[1] = '*' then p_least else dibs.cron_value(v_match[2], p_least, p_names) end;
    v_to := case when v_match[3] is not null then dibs.cron_value(v_match[3], p_least, p_names)
      -- Sunday is 0, and may be called 7.
      when v_match[1] = '*' or v_match[4] is not null then case p_most when 7 then 6 else p_most end
      else v_from end;
    -- Friday to Sunday.
    if p_most = 7 and v_to = 0 and v_from > 0 then v_to := 7; end if;
    v_step := coalesce(v_match[4]::int, 1);
    if (v_from between p_least and p_most and v_to between v_from and p_most and v_step > 0) is not true then
      perform dibs.refuse('PT400', 'p_cron: ' || quote_literal(left(v_part, 40)) || ' is no ' || p_what,
        'Give * or numbers from ' || p_least || ' to ' || p_most
          || case when p_names = '{}' then '' else ' or names such as ' || p_names[2] end
          || ', ranges (a-b) of them, steps (*/n, a-b/n), and lists of these with commas'
          || case p_what when 'day of the month' then '; L is the last day.' else '.' end);
    end if;
    v_values := v_values || array(select generate_series(v_from, v_to, v_step));
  end loop;
  return array(
    select distinct case when p_most = 7 then value % 7 else value end as value from unnest(v_values) value order by 1);
end $$;
comment on function dibs.parse_cron_field(text, text, int, int, text[]) is
  'The values that a field of a cron expression names, in order. Errors: PT400 for what is none.';

create or replace function dibs.cron_value(p_text text, p_least int, p_names text[]) returns int
  language plpgsql immutable set search_path = '' as $$
begin
  return case when p_text ~ '^\d' then p_text::int else array_position(p_names, p_text) - 1 + p_least end;
end $$;
comment on function dibs.cron_value(text, int, text[]) is 'The number that a number or a name is; null for others.';

select dibs.seal();
