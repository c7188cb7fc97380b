-- Tasks that failed for good: what became of them, and letting them run once more, at a rate.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function public.failed_tasks(
    p_filter jsonb default '{}', p_limit int default 100, p_cursor text default null)
  returns table (
    id uuid, type text, payload jsonb, priority int, unique_key text, attempts int, error text, failed_at timestamptz,
    history jsonb, cursor text)
  language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
begin
  perform dibs.check_filter(p_filter, array['failed'], p_may_be_empty => true),
    dibs.check_between('p_limit', p_limit, 1, 1000);
  if p_cursor !~ '^\d{1,18}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    perform dibs.refuse('PT400', 'p_cursor must be the cursor of a row', 'Send back that of the last row you got.');
  end if;
  return query execute format($query$
    select t.id, t.type, t.payload, t.priority::int, t.unique_key, h.attempts, h.error, t.at, h.history,
      (extract(epoch from t.at) * 1000000)::bigint || '-' || t.id
    from (%s and at <= $1 and (at, id) < ($1, $2) order by at desc, id desc limit $3) t,
      lateral (
        select (count(*) filter (where a.outcome in ('failed', 'lost')))::int as attempts,
          (array_agg(a.error order by a.attempt desc))[1] as error,
          jsonb_agg(to_jsonb(a) order by a.attempt) as history
        from public.task_attempts(t.id) a
      ) h
    order by t.at desc, t.id desc$query$, dibs.task_query(p_filter, array['failed']))
  using coalesce('epoch'::timestamptz + split_part(p_cursor, '-', 1)::bigint * interval '1 microsecond', 'infinity'),
    coalesce(substr(p_cursor, strpos(p_cursor, '-') + 1), 'ffffffff-ffff-ffff-ffff-ffffffffffff')::uuid, p_limit;
end $$;
comment on function public.failed_tasks(jsonb, int, text) is
  'Tasks that failed for good, the latest first, each with its last error, how many attempts failed or were lost in all,
and all of its history: [{attempt, outcome, worker_id, started_at, ended_at, error}].
p_filter: as in cancel_tasks_where, and may be empty. p_limit: at most so many, 1 to 1000. p_cursor: go on after the row
that has it.
Errors: PT400 for bad input.';

create or replace function public.redrive_tasks(
    p_filter jsonb, p_type text default null, p_per_second numeric default null, p_start timestamptz default null,
    p_dry_run boolean default true, p_limit int default 1000) returns jsonb
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_statuses text[] := array['failed'];
  v_free text := dibs.key_is_free(p_type);
  v_start timestamptz := greatest(p_start, dibs.clock());
  v_found bigint[];
  v_done int8multirange;
  v_last timestamptz;
begin
  perform dibs.check_bulk(p_filter, v_statuses, p_limit);
  if p_type is not null then perform dibs.check_label('p_type', p_type, 100); end if;
  if p_per_second not between 0.001 and 10000 then
    perform dibs.refuse('PT400', 'p_per_second must be between 0.001 and 10000',
      'Leave it out to let all run at once.');
  end if;
  if p_dry_run is not false then return dibs.rehearse(p_filter, v_statuses, v_free); end if;
  perform dibs.one_at_a_time();
  v_found := dibs.find_tasks(p_filter, v_statuses, p_limit, v_free);
  -- Lanes before keys, as everybody.
  insert into dibs.lane
    select coalesce(p_type, type), priority from dibs.log_of(dibs.set_of(v_found))
    union select '', priority from dibs.log_of(dibs.set_of(v_found))
    order by 1, 2 on conflict do nothing;
  v_done := dibs.revive(dibs.set_of(v_found), v_statuses, 'redriven', p_type);
  update dibs.log l set type = p_type
    from unnest(v_done) r
    where l.id >= dibs.id_of(lower(r)) and l.id < dibs.id_of(upper(r)) and l.type <> p_type;
  if p_type is not null then perform dibs.change_type(v_done, p_type); end if;
  v_last := dibs.make_ready_in_turn(v_found, v_done, v_start, p_per_second);
  if v_last is not null then perform dibs.wake(v_start); end if;
  return dibs.told(v_found, v_done, p_limit) || jsonb_build_object('last_run_at', v_last);
end $$;
comment on function public.redrive_tasks(jsonb, text, numeric, timestamptz, boolean, int) is
  'Let tasks that failed for good run again, with all their attempts anew; the history stays, and says redriven.
p_filter: as in cancel_tasks_where; the only status is failed, and {"statuses": ["failed"]} means all. One whose
unique key another task has by now does not fit.
p_type: as tasks of another type; null for their own. p_per_second: so many become due each second, 0.001 to 10000,
those that failed first coming first; null for all at once. p_start: when the first is due; null for now.
p_dry_run, p_limit and errors: as in cancel_tasks_where.
Returns {dry_run, tasks, sample, more} as there, and last_run_at, when the last of them is due: the p_start of the next
call where there are more.';

create or replace function dibs.make_ready_in_turn(
    p_order bigint[], p_tasks int8multirange, p_start timestamptz, p_per_second numeric) returns timestamptz
  language plpgsql set search_path = '' as $$
declare
  -- Those of a second stay together, as runs.
  v_together int := ceil(p_per_second);
  v_last timestamptz;
begin
  with placed as (
    insert into dibs.ready (type, priority, run_at, run)
    select type, priority, p_start + coalesce(turn * v_together / p_per_second, 0) * interval '1 s',
      dibs.runs_of(range_agg(int8range(task, task + 1)))
    from (
      select l.type, l.priority, o.task, (row_number() over (order by o.nth) - 1) / v_together as turn
      from unnest(p_order) with ordinality o(task, nth),
        lateral (
          select l.type, l.priority from dibs.log l
          where l.id >= dibs.id_of(o.task) and l.id < dibs.id_of(o.task + 1) offset 0
        ) l
      where o.task <@ p_tasks
    ) t
    group by type, priority, turn
    returning run_at
  )
  select max(run_at) into v_last from placed;
  return v_last;
end $$;
comment on function dibs.make_ready_in_turn(bigint[], int8multirange, timestamptz, numeric) is
  'Let tasks that are in no other place wait, in this order, so many becoming due each second; null for all at once.
Returns when the last is due.';

select dibs.seal();
