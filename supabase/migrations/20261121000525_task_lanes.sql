-- Taking tasks out of ready, lane by lane.

create or replace function dibs.take_tasks(
    p_types text[], p_limit int, p_from_start boolean, out tasks int8multirange, out plain boolean,
    out at timestamptz, out due boolean, out thorough boolean)
  language plpgsql set search_path = '' as $$
declare
  v_wanted int := p_limit;
  v_lanes refcursor;
  v_lane dibs.hint;
  v_began timestamptz;
  v_sweep boolean;
  v_first record;
  v_round record;
begin
  -- While an old snapshot is held, this reads every lease there has been since; then it is left to the sweeps.
  if p_from_start and pg_stat_get_dead_tuples('dibs.lease'::regclass) < 10000 then perform dibs.reap_leases(); end if;
  at := dibs.clock();
  due := false;
  thorough := true;
  if cardinality(p_types) > 1 then
    open v_lanes for select * from dibs.due_lanes(p_types);
    thorough := p_from_start;
  else
    open v_lanes for select * from dibs.hinted_lane l where l.type = p_types[1] order by l.priority;
  end if;
  loop
    fetch v_lanes into v_lane;
    exit when not found;
    v_sweep := false;
    if p_from_start then
      if v_lane.sweep_if_empty_at <= at then
        v_sweep := true;
        v_began := at;
      end if;
    elsif v_lane.sweep_at <= at
      -- One claim sweeps; the others meanwhile go by the hint.
      and pg_try_advisory_xact_lock(hashtext('dibs.sweep:' || v_lane.type), v_lane.priority) then
      v_sweep := true;
      v_began := at;
      if exists (select from dibs.lease l where l.expires_at < at) then
        perform dibs.reap_leases();
        at := dibs.clock();  -- what came back is due now
      end if;
    else
      thorough := false;
    end if;
    if v_sweep then v_lane.begin_run_at := '-infinity'; end if;
    v_first := dibs.take_runs(v_lane.type, v_lane.priority, v_lane.begin_run_at, v_lane.begin_task, at,
      v_wanted, ceil(v_wanted / v_lane.run_length)::int, p_limit);
    v_round := v_first;
    -- Once mostly; more often when the runs turn out shorter than the hint said.
    while v_round.tasks is not null loop
      tasks := coalesce(tasks + v_round.tasks, v_round.tasks);
      plain := v_round.plain and plain is not false;
      v_wanted := v_wanted - v_round.count;
      exit when v_wanted = 0;
      v_round := dibs.take_runs(v_lane.type, v_lane.priority, v_lane.begin_run_at, v_lane.begin_task, at,
        v_wanted, ceil(v_wanted / v_round.run_length)::int, p_limit);
    end loop;
    due := due or coalesce(v_round.due, false);
    -- Ten hints a second are enough, the first one from a sweep.
    if v_first.tasks is not null and (v_sweep or v_lane.made_at < at - interval '100 ms')
      -- An idle poll writes nothing, unless to say that it took long.
      or v_sweep and v_first.tasks is null and dibs.clock() > v_began + interval '10 ms' then
      perform dibs.make_hint(v_lane, case when v_sweep then v_began end, v_first.run_length);
    end if;
    exit when v_wanted = 0;
  end loop;
  close v_lanes;
end $$;
comment on function dibs.take_tasks(text[], int, boolean) is
  'Take up to p_limit due tasks out of ready, lane by lane: by priority, and for several types by the age of what
is first. p_types: {''''} stands for all. p_from_start: trust no hint.
Returns them, null when there are none to be had; the moment; whether something is due that others have locked; and
whether everything was looked at.';

create or replace function dibs.due_lanes(p_types text[]) returns setof dibs.hint
  language plpgsql stable set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
begin
  return query
  select l.* from dibs.hinted_lane l,
  lateral (select case when l.sweep_if_empty_at <= v_now then '-infinity' else l.begin_run_at end as run_at) begin,
  lateral (
    (select r.run_at from dibs.ready r
      where l.type = '' and r.priority = l.priority and r.run_at <= v_now
        and (r.run_at, lower(r.run)) >= (begin.run_at, l.begin_task)
      order by r.run_at, lower(r.run) limit 1)
    union all
    (select r.run_at from dibs.ready r
      where l.type <> '' and r.type = l.type and r.priority = l.priority and r.run_at <= v_now
        and (r.run_at, lower(r.run)) >= (begin.run_at, l.begin_task)
      order by r.run_at, lower(r.run) limit 1)
  ) head
  where l.type = any (p_types)
  order by l.priority, head.run_at, l.type;
end $$;
comment on function dibs.due_lanes(text[]) is
  'The lanes that have due work, in the order to take from them: by priority, then by the age of what is first.
p_types: {''''} stands for the lanes of all types together, as many as there are priorities.';

create or replace function dibs.take_runs(
    p_type text, p_priority smallint, p_begin_run_at timestamptz, p_begin_task bigint, p_until timestamptz,
    p_wanted int, p_runs int, p_piece int,
    out tasks int8multirange, out plain boolean, out count int, out run_length real, out due boolean)
  language plpgsql set search_path = '' as $$
declare
  v_at tid[];
  v_run int8multirange[];
  v_last int8multirange;
  v_length int;
begin
  -- Rows of ready are never updated: a row locked here is the very row the delete by ctid removes.
  if p_type = '' then
    select array_agg(l.ctid), array_agg(l.run), bool_and(l.plain) into v_at, v_run, plain from (
      select r.ctid, r.run, r.plain from dibs.ready r
      where r.priority = p_priority and r.run_at <= p_until
        and (r.run_at, lower(r.run)) >= (p_begin_run_at, p_begin_task)
      order by r.run_at, lower(r.run) limit p_runs for update skip locked
    ) l;
  else
    select array_agg(l.ctid), array_agg(l.run), bool_and(l.plain) into v_at, v_run, plain from (
      select r.ctid, r.run, r.plain from dibs.ready r
      where r.type = p_type and r.priority = p_priority and r.run_at <= p_until
        and (r.run_at, lower(r.run)) >= (p_begin_run_at, p_begin_task)
      order by r.run_at, lower(r.run) limit p_runs for update skip locked
    ) l;
  end if;
  if v_at is null then
    if p_type = '' then
      due := exists (
        select from dibs.ready r where r.priority = p_priority and r.run_at <= p_until
          and (r.run_at, lower(r.run)) >= (p_begin_run_at, p_begin_task));
    else
      due := exists (
        select from dibs.ready r where r.type = p_type and r.priority = p_priority and r.run_at <= p_until
          and (r.run_at, lower(r.run)) >= (p_begin_run_at, p_begin_task));
    end if;
    return;
  end if;
  if cardinality(v_run) = 1 and v_run[1] = int8multirange(range_merge(v_run[1])) then
    tasks := v_run[1];
    count := upper(tasks) - lower(tasks);
  else
    select range_agg(r), sum(upper(r) - lower(r)) into tasks, count from unnest(v_run) m, unnest(m) r;
  end if;
  run_length := count / cardinality(v_run)::real;

  -- Too many: the last runs stay, and what is then the last one gets cut.
  while count > p_wanted loop
    v_last := v_run[cardinality(v_run)];
    v_length := dibs.count_of(v_last);
    if v_length <= count - p_wanted then
      v_run := trim_array(v_run, 1);
      v_at := trim_array(v_at, 1);
      count := count - v_length;
    else
      -- The rest goes back in pieces of the size in demand: whoever comes next need not cut, and finds one.
      v_length := v_length - (count - p_wanted);
      with task as materialized (
        select task, row_number() over (order by task) - 1 - v_length as place
        from unnest(v_last) r, generate_series(lower(r), upper(r) - 1) task
      ), put_back as (
        insert into dibs.ready (type, priority, run_at, run, plain)
        select r.type, r.priority, r.run_at, piece, r.plain
        from (
            select range_agg(int8range(task, task + 1)) as piece from task where place >= 0 group by place / p_piece
          ) p, dibs.ready r
        where r.ctid = v_at[cardinality(v_at)]
      )
      select range_agg(int8range(task, task + 1)) into v_last from task where place >= 0;
      count := p_wanted;
    end if;
    tasks := tasks - v_last;
  end loop;
  delete from dibs.ready where ctid = any (v_at);
end $$;
comment on function dibs.take_runs(text, smallint, timestamptz, bigint, timestamptz, int, int, int) is
  'Take tasks from one lane: of the first p_runs runs nobody else has locked, as many as are wanted. p_piece: in
what pieces the rest of a run goes back.
Returns what was taken, and how long the runs were; when nothing was, whether there is any that others have locked.';

create or replace function dibs.make_hint(p_lane dibs.hint, p_swept_from timestamptz, p_run_length real)
  returns void
  language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
  v_took interval := v_now - p_swept_from;
  -- Where work was seen becomes the beginning only 100 ms later: a slower claim may still put a rest before it.
  v_proven boolean := p_lane.made_at < v_now - interval '100 ms';
  v_head record;
begin
  if p_lane.type = '' then
    select r.run_at, lower(r.run) as task into v_head from dibs.ready r
      where r.priority = p_lane.priority and r.run_at <= v_now
        and (r.run_at, lower(r.run)) >= (p_lane.begin_run_at, p_lane.begin_task)
      order by r.run_at, lower(r.run) limit 1;
  else
    select r.run_at, lower(r.run) as task into v_head from dibs.ready r
      where r.type = p_lane.type and r.priority = p_lane.priority and r.run_at <= v_now
        and (r.run_at, lower(r.run)) >= (p_lane.begin_run_at, p_lane.begin_task)
      order by r.run_at, lower(r.run) limit 1;
  end if;
  insert into dibs.hint values (p_lane.type, p_lane.priority, v_now,
    case when v_proven then p_lane.seen_run_at else p_lane.begin_run_at end,
    case when v_proven then p_lane.seen_task else p_lane.begin_task end,
    coalesce(v_head.run_at, v_now), coalesce(v_head.task, 0), coalesce(p_run_length, p_lane.run_length),
    -- While an old snapshot is held a sweep gets slow; it then comes so seldom that it takes a twentieth of the time.
    coalesce(v_now + greatest(v_took * 20, interval '1 s'), p_lane.sweep_at),
    coalesce(v_now + greatest(v_took - interval '100 ms', interval '0') * 20, p_lane.sweep_if_empty_at));
  -- Now and then, those that no claim reads any more.
  if v_took is not null and random() < 0.02 then
    delete from dibs.hint where ctid = any (array(
      select ctid from dibs.hint
      where type = p_lane.type and priority = p_lane.priority and made_at < v_now - interval '10 s'
      for update skip locked));
  end if;
end $$;
comment on function dibs.make_hint(dibs.hint, timestamptz, real) is
  'Note where the work of a lane begins, for the claims to come. Claims that run at once may each make one; that is
harmless.';

select dibs.seal();
