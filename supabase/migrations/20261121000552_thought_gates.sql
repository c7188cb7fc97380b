-- Gates of work on thoughts: a kind of work can have a limit of how many thoughts are claimed for it at once, and can
-- be paused. Clients that insert claims by themselves ask nobody and are not kept back, but count.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create table if not exists dibs.thought_gate (
  work_type text primary key,
  most int,
  paused_at timestamptz,
  passed bigint not null default 0
);
comment on table dibs.thought_gate is
  'What is set for a kind of work, '''' for all. most: so many thoughts are claimed at once. paused_at: none is. passed:
how many calls there were; who claims updates that, so that stricter transactions cannot miss each other.';

create or replace function public.set_thought_limit(p_work_type text, p_limit int) returns void
  language plpgsql set search_path = '' set lock_timeout = '3s' as $$
begin
  perform dibs.check_label('p_work_type', p_work_type, 100), dibs.check_between('p_limit', p_limit, 1, 1000000),
    dibs.stop_claims('public.thought_work_claims');
  insert into dibs.thought_gate (work_type, most) values (p_work_type, p_limit)
    on conflict (work_type) do update set most = excluded.most;
end $$;
comment on function public.set_thought_limit(text, int) is
  'Never let more than p_limit thoughts be claimed for a kind of work at once, 1 to 1000000, from the moment this is
committed. What is claimed already counts; where that is more, it goes on, and nothing new is claimed until it is less.
Errors: PT400 for bad input, PT503 while a claim stays in an open transaction for 3 seconds.';

create or replace function public.remove_thought_limit(p_work_type text) returns boolean
  language plpgsql set search_path = '' set lock_timeout = '3s' as $$
begin
  perform dibs.check_label('p_work_type', p_work_type, 100), dibs.stop_claims('public.thought_work_claims');
  update dibs.thought_gate set most = null where work_type = p_work_type and most is not null;
  if not found then return false; end if;
  delete from dibs.thought_gate where work_type = p_work_type and paused_at is null;
  return true;
end $$;
comment on function public.remove_thought_limit(text) is
  'Take away the limit of a kind of work. Returns whether there was one. Errors: as set_thought_limit.';

create or replace function public.pause_thoughts(p_work_type text default null) returns bigint
  language plpgsql set search_path = '' set lock_timeout = '3s' as $$
begin
  if p_work_type is not null then perform dibs.check_label('p_work_type', p_work_type, 100); end if;
  perform dibs.stop_claims('public.thought_work_claims');
  insert into dibs.thought_gate (work_type, paused_at) values (coalesce(p_work_type, ''), dibs.clock())
    on conflict (work_type) do update set paused_at = coalesce(thought_gate.paused_at, excluded.paused_at);
  return dibs.thoughts_claimed(p_work_type);
end $$;
comment on function public.pause_thoughts(text) is
  'Claim no more thoughts for a kind of work, null for any, from the moment this is committed. What is claimed goes on,
and is settled as usual.
Returns how many are still claimed; call it again to see them become 0. Errors: as set_thought_limit.';

create or replace function public.resume_thoughts(p_work_type text default null) returns boolean
  language plpgsql set search_path = '' set lock_timeout = '3s' as $$
begin
  if p_work_type is not null then perform dibs.check_label('p_work_type', p_work_type, 100); end if;
  perform dibs.stop_claims('public.thought_work_claims');
  update dibs.thought_gate set paused_at = null
    where work_type = coalesce(p_work_type, '') and paused_at is not null;
  if not found then return false; end if;
  delete from dibs.thought_gate where work_type = coalesce(p_work_type, '') and most is null;
  return true;
end $$;
comment on function public.resume_thoughts(text) is
  'End what pause_thoughts began with the same argument. Returns whether it was paused. Errors: as set_thought_limit.';

create or replace function public.thought_gates()
  returns table (work_type text, max_running int, paused_at timestamptz, running bigint)
  language plpgsql stable set search_path = '' as $$
begin
  return query
    select nullif(g.work_type, ''), g.most, g.paused_at, dibs.thoughts_claimed(nullif(g.work_type, ''))
    from dibs.thought_gate g order by g.work_type;
end $$;
comment on function public.thought_gates() is
  'What is set for work on thoughts: limits and pauses, by work type, null for all. running: how many are claimed now.';

-- Claiming -----------------------------------------------------------------------------------------

create or replace function dibs.thought_room(p_work_type text) returns int
  language plpgsql stable set search_path = '' as $$
declare
  v_gate dibs.thought_gate;
begin
  if exists (select from dibs.thought_gate where work_type = '') then return 0; end if;
  select * into v_gate from dibs.thought_gate where work_type = p_work_type;
  return case
    when v_gate.paused_at is not null then 0
    when v_gate.most is not null then greatest(0, v_gate.most - dibs.thoughts_claimed(p_work_type))
    else 1000000 end;
end $$;
comment on function dibs.thought_room(text) is
  'How many thoughts may be claimed for a kind of work, as far as can be seen; a million where there is no limit.';

create or replace function dibs.pass_thought_gate(p_work_type text, p_fence bigint) returns boolean
  language plpgsql set search_path = '' as $$
declare
  v_gate dibs.thought_gate;
  v_granted int := (select count(*) from public.thought_work_claims c where c.fence = p_fence);
  v_kept int := v_granted;
begin
  if exists (select from dibs.thought_gate where work_type = '') then
    v_kept := 0;
  elsif exists (select from dibs.thought_gate where work_type = p_work_type) then
    select * into v_gate from dibs.thought_gate where work_type = p_work_type for update skip locked;
    -- While another claim is at it, there is nothing to be had.
    if not found or v_gate.paused_at is not null then
      v_kept := 0;
    elsif v_gate.most is not null then
      update dibs.thought_gate set passed = passed + 1 where work_type = p_work_type;
      v_kept := greatest(0, least(v_granted, v_gate.most - dibs.thoughts_claimed(p_work_type) + v_granted));
    end if;
  end if;
  if v_kept < v_granted then
    delete from public.thought_work_claims c
    where c.fence = p_fence and c.thought_id = any (array(
      select c.thought_id from public.thought_work_claims c where c.fence = p_fence
      order by uuid_send(c.thought_id) offset v_kept));
  end if;
  return v_kept > 0;
end $$;
comment on function dibs.pass_thought_gate(text, bigint) is
  'Take back of the claims of a new grant what is more than the gate of its kind of work lets through. Whether some are
left. Asked when they are written, since whoever sets a gate waits for whoever writes claims.';

create or replace function dibs.thoughts_claimed(p_work_type text) returns bigint
  language plpgsql stable set search_path = '' as $$
declare
  v_claimed constant text := 'claimed';
begin
  if p_work_type is null then
    return (select count(*) from public.thought_work_claims c where c.status = v_claimed);
  end if;
  return (
    select count(*) from public.thought_work_claims c where c.work_type = p_work_type and c.status = v_claimed);
end $$;
comment on function dibs.thoughts_claimed(text) is 'How many thoughts are claimed for a kind of work, null for any.';

select dibs.seal();
