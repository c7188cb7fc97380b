-- What the database did, written down by triggers in the transaction that did it: who got what under
-- which fence, until when, and how it left again. Dibs knows nothing of it.

create schema chaos;

-- Two transactions that touch one item draw in the order in which they may: the later one must wait
-- for the earlier one's rows.
create sequence chaos.moment;

create table chaos.task_history (
  n bigint not null default nextval('chaos.moment'),
  at timestamptz not null default clock_timestamp(),
  event text not null,
  tasks int8multirange not null,
  fence bigint,
  expires_at timestamptz,
  -- When it was really written: whoever granted it may have looked at the clock too early.
  written_at timestamptz not null default clock_timestamp(),
  xact xid8 not null default pg_current_xact_id()
);

create table chaos.thought_history (
  n bigint not null default nextval('chaos.moment'),
  at timestamptz not null default clock_timestamp(),
  event text not null,
  thought uuid not null,
  work_type text not null,
  fence bigint,
  expires_at timestamptz,
  -- Inserted by a client that asked nobody.
  by_hand boolean not null,
  xact xid8 not null default pg_current_xact_id(),
  written_at timestamptz not null default clock_timestamp()
);

-- Tasks --------------------------------------------------------------------------------------------

create function chaos.note_lease() returns trigger
  language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    insert into chaos.task_history (at, event, tasks, fence, expires_at)
      values (new.started_at, 'granted', new.held, new.fence, new.expires_at);
    return null;
  end if;
  if tg_op = 'DELETE' then
    insert into chaos.task_history (event, tasks, fence) values ('left', old.held, old.fence);
    return null;
  end if;
  if new.expires_at <> old.expires_at then
    insert into chaos.task_history (event, tasks, fence, expires_at)
      values ('renewed', new.held, new.fence, new.expires_at);
  end if;
  if new.held <> old.held then
    insert into chaos.task_history (event, tasks, fence) values ('left', old.held - new.held, old.fence);
  end if;
  return null;
end $$;
create trigger note_lease after insert or update or delete on dibs.lease
  for each row execute function chaos.note_lease();

create function chaos.note_attempt() returns trigger
  language plpgsql security definer set search_path = '' as $$
begin
  insert into chaos.task_history (event, tasks, fence)
    values (new.outcome, int8multirange(int8range(new.task, new.task + 1)), new.fence);
  return null;
end $$;
create trigger note_attempt after insert on dibs.attempt
  for each row execute function chaos.note_attempt();

create function chaos.note_outcome() returns trigger
  language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    insert into chaos.task_history (event, tasks, fence)
      values (case new.status when 'failed' then 'failed_for_good' else new.status end,
        new.run, new.fence);
  else
    insert into chaos.task_history (event, tasks, fence)
      values ('undone', old.run, old.fence);
  end if;
  return null;
end $$;
create trigger note_outcome after insert or update or delete on dibs.outcome
  for each row execute function chaos.note_outcome();

-- Thoughts -----------------------------------------------------------------------------------------

create function chaos.note_claim() returns trigger
  language plpgsql security definer set search_path = '' as $$
declare
  v_row public.thought_work_claims := coalesce(new, old);
  v_by_hand boolean := v_row.worker_id like '%/by-hand';
  v_event text := case
    when tg_op = 'INSERT' or new.fence <> old.fence then 'granted'
    when tg_op = 'UPDATE' and new.status <> old.status then case
      when new.status = 'succeeded' then 'completed'
      when new.retry_at is null then 'failed_for_good'
      else 'failed' end
    when tg_op = 'UPDATE' then case when new.ttl_expires_at <> old.ttl_expires_at then 'renewed' end
    when old.status = 'succeeded' or old.retry_at is null and old.status = 'failed' then 'undone'
    -- Its attempt was just remembered: it was taken away, not handed back.
    when old.status = 'claimed' and exists (
      select from dibs.thought_attempt m
      where m.thought_id = old.thought_id and m.work_type = old.work_type
        and m.attempts = old.attempt_count) then 'lost'
    when old.status = 'claimed' then 'left' end;
begin
  if v_event is null then return null; end if;
  if v_event = 'renewed' then
    -- A claim that had to wait gives the leases it just granted their full time.
    update chaos.thought_history set expires_at = new.ttl_expires_at, written_at = clock_timestamp()
      where event = 'granted' and thought = new.thought_id and fence = new.fence and xact = pg_current_xact_id();
    if found then return null; end if;
  end if;
  insert into chaos.thought_history (at, event, thought, work_type, fence, expires_at, by_hand)
    values (
      case when v_event = 'granted' and not v_by_hand then new.claimed_at else clock_timestamp() end, v_event,
      v_row.thought_id, v_row.work_type, v_row.fence,
      case when v_event in ('granted', 'renewed') then new.ttl_expires_at end, v_by_hand);
  return null;
end $$;
create trigger note_claim after insert or update or delete on public.thought_work_claims
  for each row execute function chaos.note_claim();

create index on chaos.thought_history (fence);

-- What handlers write ------------------------------------------------------------------------------

create table chaos.posting (item text not null);

create function public.chaos_post(p_fence text, p_id uuid, p_item text) returns void
  language plpgsql security definer set search_path = '' as $$
begin
  insert into chaos.posting values (p_item);
  perform public.complete_with_result(p_fence, p_id);
end $$;
revoke all on function public.chaos_post from public, anon, authenticated;
grant execute on function public.chaos_post to service_role;

-- Both, by the names of those who enqueued them ------------------------------------------------------

create view chaos.history as
  select h.n, h.at, h.event, l.payload ->> 'name' as item, h.fence, h.expires_at, h.written_at, false as by_hand
  from chaos.task_history h, unnest(h.tasks) r, dibs.log l
  where l.id >= dibs.id_of(lower(r)) and l.id < dibs.id_of(upper(r))
  union all
  select n, at, event, case work_type when 'chaos_contest' then 'contested ' else '' end || thought, fence,
    expires_at, written_at, by_hand
  from chaos.thought_history;

-- Of the tasks that have a key or an order key, which their payloads name as well.
create view chaos.gated_history as
  select h.n, h.event, h.xact, l.type, l.payload ->> 'name' as item, l.payload ->> 'key' as key,
    l.payload ->> 'order_key' as order_key
  from chaos.task_history h, unnest(h.tasks) r, dibs.log l
  where l.id >= dibs.id_of(lower(r)) and l.id < dibs.id_of(upper(r)) and l.payload ?| array['key', 'order_key'];

-- Which items are judged together: there may be more than fit into memory.
create function chaos.share_of(p_item text, p_shares int) returns int
  language sql immutable set search_path = '' as $$
  select ('x' || left(md5(p_item), 4))::bit(16)::int % p_shares
$$;
