-- Taking tasks out of ready, lane by lane.
-- This is longer than 300 lines because a claim, its hints and its sweeps are only understood together.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

-- Those of before told less of what they took.
do $$
begin
  if not (select 'passed' = any (proargnames) from pg_catalog.pg_proc
    where oid = to_regprocedure('dibs.take_tasks(text[], int, int)')) then
    drop function dibs.take_first_run(text, int);
    drop function dibs.take_tasks(text[], int, int);
    drop function dibs.take_runs(text, smallint, timestamptz, bigint, timestamptz, int, int, int);
  end if;
end $$;

create or replace function dibs.take_first_run(
    p_type text, p_limit int, out tasks int8multirange, out plain boolean, out count int, out of_type text)
  -- No bitmap, which would have to be sorted by priority: the index of lanes is in that order.
  language plpgsql set search_path = '' set enable_bitmapscan = off as $$
declare
  v_now timestamptz := dibs.clock();
  v_run dibs.ready;
  -- Not all at once take the long way when a hint gets old.
  v_fresh interval := (1 + random()) * interval '100 ms';
begin
  if p_type is null then return; end if;
  -- Rows of ready are never updated: a row locked here is the very row the delete by ctid removes.
  -- A lane of shorter runs is not even looked into: the long way has to walk through what was taken from it anyway.
  if p_type = '' then
    delete from dibs.ready where ctid = (
      select case when l.made_at > v_now - v_fresh then r.place end
      from (select * from dibs.hinted_lane where type = '' order by priority offset 0) l,
        lateral (
          select case when l.run_length >= p_limit and not l.in_turn then (
            select r.ctid from dibs.ready r
            where r.priority = l.priority and r.run_at <= v_now
              and (r.run_at, lower(r.run)) >= (l.begin_run_at, l.begin_task)
            order by r.run_at, lower(r.run) limit 1 for update skip locked
          ) end as place offset 0
        ) r
      where r.place is not null or l.run_length < p_limit or l.in_turn
      limit 1)
    returning * into v_run;
  else
    delete from dibs.ready where ctid = (
      select case when l.made_at > v_now - v_fresh then r.place end
      from (select * from dibs.hinted_lane where type = p_type order by priority offset 0) l,
        lateral (
          select case when l.run_length >= p_limit and not l.in_turn then (
            select r.ctid from dibs.ready r
            where r.type = p_type and r.priority = l.priority and r.run_at <= v_now
              and (r.run_at, lower(r.run)) >= (l.begin_run_at, l.begin_task)
            order by r.run_at, lower(r.run) limit 1 for update skip locked
          ) end as place offset 0
        ) r
      where r.place is not null or l.run_length < p_limit or l.in_turn
      limit 1)
    returning * into v_run;
  end if;
  if not found then return; end if;
  tasks := v_run.run;
  plain := v_run.plain;
  of_type := v_run.type;
  count := case when tasks = int8multirange(range_merge(tasks)) then upper(tasks) - lower(tasks)
    else dibs.count_of(tasks) end;
  if count > p_limit then
    tasks := tasks - dibs.put_back(v_run, p_limit, p_limit);
    count := p_limit;
  end if;
end $$;
comment on function dibs.take_first_run(text, int) is
  'Take the first run that nobody else has locked, or as much of it as is wanted, where that will do: by a new hint,
which says that runs are long enough, and that nothing but priority and age decides. All else is left to the long way,
hints and sweeps among it.
p_type: '''' stands for all, null for several. Returns what was taken, null when nothing was.';

create or replace function dibs.put_back(p_run dibs.ready, p_keep int, p_piece int) returns int8multirange
  language plpgsql set search_path = '' as $$
declare
  v_first bigint := (
    select task from unnest(p_run.run) r, generate_series(lower(r), upper(r) - 1) task offset p_keep limit 1);
  v_rest int8multirange := p_run.run * int8multirange(int8range(v_first, null));
begin
  insert into dibs.ready (type, priority, run_at, run, plain)
    select p_run.type, p_run.priority, p_run.run_at, piece, p_run.plain
    from generate_series(v_first, upper(v_rest) - 1, p_piece) first,
      lateral (select v_rest * int8multirange(int8range(first, first + p_piece)) as piece offset 0) p
    where not isempty(piece);
  return v_rest;
end $$;
comment on function dibs.put_back(dibs.ready, int, int) is
  'Let all but the first p_keep tasks of a run wait again, in pieces of the size in demand: whoever comes next need not
cut, and finds one. Returns them.';

-- The long way -------------------------------------------------------------------------------------

create or replace function dibs.take_tasks(
    p_types text[], p_wanted int, p_piece int, out tasks int8multirange, out plain boolean,
    out of_type text, out passed int8multirange, out slots tid[], out slot_tasks bigint[])
  language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
  v_wanted int := p_wanted;
  v_lanes dibs.hint[];
  v_lane dibs.hint;
  v_ready boolean;
  v_sweep boolean;
  v_found boolean;
  v_round record;
  v_in_turn boolean;
begin
  passed := '{}';
  slots := '{}';
  slot_tasks := '{}';
  if dibs.all_paused() then return; end if;
  v_in_turn := exists (select from dibs.gated) or (select priority_aging is not null from dibs.settings);
  for v_look in 1..5 loop
    -- While an old snapshot is held, this reads every lease there has been since: then now and then will do.
    if (pg_stat_get_dead_tuples('dibs.lease'::regclass) < 10000 or random() < 0.05)
      and exists (select from dibs.lease l where l.expires_at < v_now) then
      perform dibs.reap_leases();
      v_now := dibs.clock();  -- what came back is due now
    end if;
    v_lanes := dibs.due_lanes(p_types, v_look = 1 and cardinality(p_types) = 1);
    v_ready := false;
    foreach v_lane in array v_lanes loop
      if v_lane.run_length = 0 then
        -- One of gated.
        v_round := dibs.take_gated(v_lane.type, v_lane.priority, v_wanted, slots);
        continue when v_round.tasks is null;
        tasks := coalesce(tasks + v_round.tasks, v_round.tasks);
        plain := v_round.plain and plain is not false;
        of_type := case when coalesce(of_type, v_lane.type) = v_lane.type then v_lane.type else '' end;
        passed := passed + v_round.tasks;
        slots := slots || v_round.slots;
        slot_tasks := slot_tasks || v_round.slot_tasks;
        v_wanted := v_wanted - v_round.count;
        exit when v_wanted = 0;
        continue;
      end if;
      v_ready := true;
      -- First by the hints, but for the one claim that sweeps; then from the start.
      v_sweep := case v_look when 1 then v_lane.sweep_at <= v_now
          and pg_try_advisory_xact_lock(hashtext('dibs.sweep:' || v_lane.type), v_lane.priority)
        else v_lane.sweep_if_empty_at <= v_now end;
      if v_sweep then v_lane.begin_run_at := '-infinity'; end if;
      -- Once mostly; more often when the runs turn out shorter than the hint said.
      v_found := false;
      loop
        v_round := dibs.take_runs(v_lane.type, v_lane.priority, v_lane.begin_run_at, v_lane.begin_task, v_now,
          v_wanted, ceil(v_wanted / v_lane.run_length)::int, p_piece);
        exit when v_round.tasks is null;
        v_found := true;
        tasks := coalesce(tasks + v_round.tasks, v_round.tasks);
        plain := v_round.plain and plain is not false;
        of_type := case when v_round.of_type = coalesce(of_type, v_round.of_type) then v_round.of_type else '' end;
        v_lane.run_length := v_round.run_length;
        v_wanted := v_wanted - v_round.count;
        exit when v_wanted = 0;
      end loop;
      -- Ten hints a second are enough, the first one from a sweep.
      if v_found and (v_sweep or v_lane.made_at < v_now - interval '100 ms') then
        v_lane.in_turn := v_in_turn;
        perform dibs.make_hint(v_lane, case when v_sweep then v_now end);
      end if;
      exit when v_wanted = 0;
    end loop;
    exit when tasks is not null or not v_ready;
    -- What is due but not to be had is for a moment in the hands of other claims, which may leave a rest of it.
    if v_look > 1 then perform pg_sleep(0.001); end if;
    v_now := dibs.clock();
  end loop;
end $$;
comment on function dibs.take_tasks(text[], int, int) is
  'Take up to p_wanted due tasks out of ready, lane by lane: by priority, and for several types by the age of what
is first. p_types: {''''} stands for all. p_piece: in what pieces the rest of a run goes back.
Returns them, null when there are none to be had; which of them passed a gate; and the places that those occupy.';

create or replace function dibs.due_lanes(p_types text[], p_presume boolean default false) returns dibs.hint[]
  language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
  v_aging interval := (select priority_aging from dibs.settings);
  v_gated dibs.hint[] := '{}';
  v_lanes dibs.hint[];
begin
  if exists (select from dibs.gated) then v_gated := dibs.gated_lanes(p_types); end if;
  v_lanes := array(
    select row(l.*)::dibs.hint
    from (select * from dibs.hinted_lane where type = any (p_types) union all select * from unnest(v_gated)) l,
      lateral (
        select l.seen_run_at as run_at where l.run_length = 0
        union all
        select l.seen_run_at as run_at where p_presume and l.made_at > v_now - interval '200 ms'
        union all
        select r.run_at from
          -- Empty is only said after a look from the start: what was committed late lies before the hint.
          (values
            (l.begin_run_at, l.begin_task), (case when l.sweep_if_empty_at <= v_now then timestamptz '-infinity' end, 0)
          ) begin(run_at, task),
          lateral (
            (select r.run_at from dibs.ready r
              where l.type = '' and r.priority = l.priority and r.run_at <= v_now
                and (r.run_at, lower(r.run)) >= (begin.run_at, begin.task)
              order by r.run_at, lower(r.run) limit 1)
            union all
            (select r.run_at from dibs.ready r
              where l.type <> '' and r.type = l.type and r.priority = l.priority and r.run_at <= v_now
                and (r.run_at, lower(r.run)) >= (begin.run_at, begin.task)
              order by r.run_at, lower(r.run) limit 1)
          ) r
        limit 1
      ) head
    order by
      l.priority - case when v_aging is null then 0
        else floor(extract(epoch from v_now - head.run_at) / extract(epoch from v_aging)) end,
      head.run_at, l.type);
  -- An idle poll writes nothing, unless to say that it took long.
  if dibs.clock() > v_now + interval '10 ms' then
    perform dibs.make_hint(row(l.*)::dibs.hint, v_now) from dibs.hinted_lane l
      where l.type = any (p_types) and l.sweep_if_empty_at <= v_now
        and (l.type, l.priority) not in (select type, priority from unnest(v_lanes) where run_length > 0);
  end if;
  return v_lanes;
end $$;
comment on function dibs.due_lanes(text[], boolean) is
  'The lanes that have due work, those of gated among them, in the order to take from them: by priority, which grows by
one for each settings.priority_aging that what is first has waited, then by the age of that.
p_types: {''''} stands for the lanes of all types together, as many as there are priorities. p_presume: of a lane whose
hint is new it need not be seen that there is still work.';

create or replace function dibs.take_runs(
    p_type text, p_priority smallint, p_begin_run_at timestamptz, p_begin_task bigint, p_until timestamptz,
    p_wanted int, p_runs int, p_piece int,
    out tasks int8multirange, out plain boolean, out count int, out run_length real, out of_type text)
  language plpgsql set search_path = '' as $$
declare
  v_at tid[];
  v_run int8multirange[];
  v_last dibs.ready;
  v_length int;
begin
  of_type := p_type;
  if p_type = '' then
    select array_agg(l.ctid), array_agg(l.run), bool_and(l.plain), range_agg(l.run),
        case when min(l.type) = max(l.type) then min(l.type) else '' end
      into v_at, v_run, plain, tasks, of_type
    from (
      select r.ctid, r.run, r.plain, r.type from dibs.ready r
      where r.priority = p_priority and r.run_at <= p_until
        and (r.run_at, lower(r.run)) >= (p_begin_run_at, p_begin_task)
      order by r.run_at, lower(r.run) limit p_runs for update skip locked
    ) l;
  else
    select array_agg(l.ctid), array_agg(l.run), bool_and(l.plain), range_agg(l.run) into v_at, v_run, plain, tasks
    from (
      select r.ctid, r.run, r.plain from dibs.ready r
      where r.type = p_type and r.priority = p_priority and r.run_at <= p_until
        and (r.run_at, lower(r.run)) >= (p_begin_run_at, p_begin_task)
      order by r.run_at, lower(r.run) limit p_runs for update skip locked
    ) l;
  end if;
  if tasks is null then return; end if;
  count := dibs.count_of(tasks);
  run_length := count / cardinality(v_run)::real;

  -- Too many: the last runs stay, and what is then the last one gets cut.
  while count > p_wanted loop
    v_length := dibs.count_of(v_run[cardinality(v_run)]);
    if v_length <= count - p_wanted then
      tasks := tasks - v_run[cardinality(v_run)];
      v_run := trim_array(v_run, 1);
      v_at := trim_array(v_at, 1);
      count := count - v_length;
    else
      select * into v_last from dibs.ready where ctid = v_at[cardinality(v_at)];
      tasks := tasks - dibs.put_back(v_last, v_length - (count - p_wanted), p_piece);
      count := p_wanted;
    end if;
  end loop;
  delete from dibs.ready where ctid = any (v_at);
end $$;
comment on function dibs.take_runs(text, smallint, timestamptz, bigint, timestamptz, int, int, int) is
  'Take tasks from one lane: of the first p_runs runs nobody else has locked, as many as are wanted. p_piece: in
what pieces the rest of a run goes back.
Returns what was taken, null when nothing was, how long the runs were, and their type, '''' where they are of several.';

create or replace function dibs.make_hint(p_lane dibs.hint, p_swept_from timestamptz) returns void
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
  if v_proven then
    p_lane.begin_run_at := p_lane.seen_run_at;
    p_lane.begin_task := p_lane.seen_task;
  end if;
  -- What went back to its place may lie before: once found, it is not passed over again.
  if (v_head.run_at, v_head.task) < (p_lane.begin_run_at, p_lane.begin_task) then
    p_lane.begin_run_at := v_head.run_at;
    p_lane.begin_task := v_head.task;
  end if;
  insert into dibs.hint values (p_lane.type, p_lane.priority, v_now, p_lane.begin_run_at, p_lane.begin_task,
    coalesce(v_head.run_at, v_now), coalesce(v_head.task, 0), p_lane.run_length,
    -- While an old snapshot is held a sweep gets slow; it then comes so seldom that it takes a twentieth of the time.
    coalesce(v_now + greatest(v_took * 20, interval '1 s'), p_lane.sweep_at),
    coalesce(v_now + greatest(v_took - interval '100 ms', interval '0') * 20, p_lane.sweep_if_empty_at),
    p_lane.in_turn);
  -- Now and then, those that no claim reads any more.
  if v_took is not null and random() < 0.02 then
    delete from dibs.hint where ctid = any (array(
      select ctid from dibs.hint
      where type = p_lane.type and priority = p_lane.priority and made_at < v_now - interval '10 s'
      for update skip locked));
  end if;
end $$;
comment on function dibs.make_hint(dibs.hint, timestamptz) is
  'Note where the work of a lane begins, for the claims to come. Claims that run at once may each make one; that is
harmless.';

select dibs.seal();
