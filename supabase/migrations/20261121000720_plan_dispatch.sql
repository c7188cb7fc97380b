-- The plan: how many drains there should be, and what each is for.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function public.plan_dispatch(p_dispatch_id text default null, p_types text[] default null)
  returns jsonb
  language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
  v_id bigint;
  v_drains jsonb;
begin
  if p_dispatch_id is not null then v_id := dibs.parse_fence(p_dispatch_id); end if;
  -- Two plans at once would both start drains for the same backlog.
  perform pg_advisory_xact_lock(hashtextextended('dibs.plan', 0));
  select id into v_id from dibs.dispatch where id = v_id and planned_at is null for update;
  if not found then
    insert into dibs.dispatch (reason, state, made_at) values ('call', 'answered', v_now) returning id into v_id;
  end if;
  -- Where nothing ticks but what calls dispatch.
  perform dibs.tell_late(), dibs.run_schedules();
  v_drains := dibs.drains_wanted(p_types);
  update dibs.dispatch set planned_at = v_now, types = p_types, drains = jsonb_array_length(v_drains) where id = v_id;
  return jsonb_build_object('dispatch_id', v_id::text, 'drains', v_drains);
end $$;
comment on function public.plan_dispatch(text, text[]) is
  'How many drains the backlog needs: due tasks by settings.tasks_per_drain, minus the workers that are at such
tasks, never more than settings.max_drains at once; and one for each of settings.dispatch_work_types that has
thoughts or rows waiting and no drain. All together never more than are left of settings.max_invocations_per_month.
p_dispatch_id: the call this answers, if any. p_types: the task types the caller has handlers for.
Returns {dispatch_id, drains: [{types or work_type, source?, batch, lease_seconds, linger_seconds}]}.
Errors: PT400 for bad input.';

create or replace function dibs.drains_wanted(p_types text[]) returns jsonb
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_now timestamptz := dibs.clock();
  v_settings dibs.settings := (select s from dibs.settings s);
  v_left bigint := dibs.invocations_left();
  v_due bigint;
  v_due_since timestamptz;
  v_busy int;
  v_draining int;
  v_missing int;
begin
  if exists (select from dibs.gate) then perform dibs.gate_all_due(); end if;
  -- Counted only as far as it matters: past the cap more backlog means no more drains.
  select coalesce(sum(length), 0), min(run_at) into v_due, v_due_since from (
    select dibs.count_of(r.run) as length, r.run_at
    from unnest(dibs.due_lanes(coalesce(p_types, array['']))) l,
      lateral (
        select run, run_at from dibs.ready where l.type = '' and priority = l.priority and run_at <= v_now
        union all
        select run, run_at from dibs.ready where type = l.type and priority = l.priority and run_at <= v_now
      ) r
    where l.run_length > 0 and not dibs.all_paused()
    limit v_settings.max_drains * v_settings.tasks_per_drain
  ) r;
  if exists (select from dibs.gated) then
    select v_due + p.tasks, least(v_due_since, p.since) into v_due, v_due_since
      from dibs.passable(coalesce(p_types, array['']), v_settings.max_drains * v_settings.tasks_per_drain) p;
  end if;
  -- A worker at other types is no help; the first task it holds says what it is at. Drains name themselves so.
  select count(distinct l.worker_id), count(distinct l.worker_id) filter (where l.worker_id like 'drain-%')
    into v_busy, v_draining
    from dibs.lease l, lateral dibs.id_of(lower(l.held)) first
    join dibs.log t on t.id >= first and t.id < dibs.id_of(dibs.task_of(first) + 1)
    where v_due > 0 and l.expires_at > v_now and (p_types is null or t.type = any (p_types));
  v_missing := ceil(v_due / v_settings.tasks_per_drain::real) - v_busy;
  -- Those at work may be at something long.
  if v_missing < 1 and v_due_since < v_now - 3 * v_settings.tick_seconds * interval '1 s' then v_missing := 1; end if;

  return (
    select coalesce(jsonb_agg(drain || jsonb_build_object(
      'batch', v_settings.drain_batch, 'lease_seconds', v_settings.drain_lease_seconds,
      -- Nobody is woken twice within this time, so who was woken looks again for as long.
      'linger_seconds', least(ceil(extract(epoch from v_settings.wake_debounce)), 60))), '[]')
    from (
      select jsonb_build_object('types', p_types) as drain
        from generate_series(1, least(v_missing, v_settings.max_drains - v_draining))
      union all
      select work.drain
        from unnest(v_settings.dispatch_work_types) listed (work),
          lateral (select dibs.drain_of_rows(listed.work) as drain offset 0) work
        where work.drain is not null
      limit v_left
    ) wanted);
end $$;
comment on function dibs.drains_wanted(text[]) is
  'The drains that are missing now, as plan_dispatch returns them, for tasks of these types (null: all). A task that
has been due for three ticks gets one also where all workers are busy.';

create or replace function dibs.invocations_left() returns bigint
  language plpgsql stable set search_path = '' as $$
declare
  v_most bigint := (select max_invocations_per_month from dibs.settings);
begin
  return case when v_most is not null then greatest(v_most - dibs.invocations(), 0) end;
end $$;
comment on function dibs.invocations_left() is
  'How many calls of functions dispatch may still make in this month. Null: as many as the work takes.';

create or replace function dibs.invocations() returns bigint
  language plpgsql stable set search_path = '' as $$
begin
  return (
    select count(*) filter (where state <> 'planned') + coalesce(sum(drains), 0) from dibs.dispatch
    where made_at >= date_trunc('month', dibs.clock(), 'UTC'));
end $$;
comment on function dibs.invocations() is
  'How many calls of dispatch and drain there were in this month of UTC, as far as dibs.dispatch goes back.';

-- Work on rows -------------------------------------------------------------------------------------

create or replace function dibs.drain_of_rows(p_work text) returns jsonb
  language plpgsql set search_path = '' as $$
declare
  v_source text := (select s.name from dibs.claim_source s where p_work like s.name || '/%');
  v_work_type text := case when v_source is null then p_work else substr(p_work, length(v_source) + 2) end;
  v_wanted boolean;
begin
  execute format('select dibs.drain_is_wanted_for_%s($1)', dibs.source_rows(coalesce(v_source, 'thoughts')))
    into v_wanted using v_work_type;
  if v_wanted then
    return jsonb_strip_nulls(jsonb_build_object('work_type', v_work_type, 'source', nullif(v_source, 'thoughts')));
  end if;
  return null;
end $$;
comment on function dibs.drain_of_rows(text) is
  'The drain that a kind of work of settings.dispatch_work_types wants now: {work_type, source?}; null for none.';

select dibs.define_for_sources('720 dispatch', 'every source', $define$
create or replace function dibs.drain_is_wanted_for_{thoughts}(p_work_type text) returns boolean
  language plpgsql set search_path = '' as $$
declare
  v_began timestamptz := clock_timestamp();
begin
  if dibs.room_for_{thoughts}(p_work_type) = 0 or exists (
    select from {claims} c
    where c.work_type = p_work_type and c.status = 'claimed' and c.ttl_expires_at > dibs.clock()
      and c.worker_id like 'drain-%')
  then
    return false;
  end if;
  return dibs.is_in_pool_of_{thoughts}(p_work_type)
    -- Whoever is searching right now is a claimer, who needs no drain's help to begin.
    or pg_try_advisory_xact_lock(hashtextextended('{pass}:' || p_work_type, 0))
      and dibs.fill_pool{of}(p_work_type, v_began) and dibs.is_in_pool_of_{thoughts}(p_work_type);
end $$;
comment on function dibs.drain_is_wanted_for_{thoughts}(text) is
  'Whether {thing}s wait for a kind of work that no drain is at, as far as the pool or a look for more can tell.';

create or replace function dibs.is_in_pool_of_{thoughts}(p_work_type text) returns boolean
  language plpgsql set search_path = '' as $$
begin
  if dibs.has_key_gates('{source}', p_work_type) then
    return dibs.next_open_key_of_{thoughts}(p_work_type, '', dibs.claimed_by_key_{thoughts}(p_work_type)) is not null;
  end if;
  return exists (
    select from {run} r
    where r.work_type = p_work_type
      and r.fill >= (select p.fill - 2 from {pass} p where p.work_type = p_work_type));
end $$;
comment on function dibs.is_in_pool_of_{thoughts}(text) is
  'Whether there are {thing}s in the pool for this work type, of a key that is open.';
$define$);

select dibs.seal();
