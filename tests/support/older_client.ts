/**
 * What a project has whose clients claim thoughts without Dibs: the tables of Open Brain and of its
 * claims, and functions of the same names.
 */
export const OLDER_CLIENT = `
create table public.thoughts (
  id uuid default gen_random_uuid() primary key,
  content text not null,
  metadata jsonb default '{}',
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table public.thought_work_claims (
  thought_id uuid not null references public.thoughts (id) on delete cascade,
  work_type text not null,
  worker_id text not null,
  claimed_at timestamptz not null default now(),
  ttl_expires_at timestamptz not null,
  status text not null default 'claimed' check (status in ('claimed', 'succeeded', 'failed')),
  attempt_count int not null default 1,
  last_error text,
  primary key (thought_id, work_type)
);
create index idx_twc_status_ttl on public.thought_work_claims (work_type, status, ttl_expires_at);
create index idx_twc_worker on public.thought_work_claims (worker_id) where status = 'claimed';
alter table public.thoughts enable row level security;
grant all on public.thoughts, public.thought_work_claims to service_role;

create function public.claim_thoughts(
  p_thought_ids uuid[], p_work_type text, p_worker_id text, p_ttl_seconds int default 900
) returns setof uuid language plpgsql security definer as $$
begin
  delete from thought_work_claims
  where work_type = p_work_type and status = 'claimed' and ttl_expires_at < now();
  return query
    insert into thought_work_claims (thought_id, work_type, worker_id, ttl_expires_at)
    select id, p_work_type, p_worker_id, now() + p_ttl_seconds * interval '1 s'
    from unnest(p_thought_ids) id order by id
    on conflict do nothing returning thought_id;
end $$;

create function public.release_thought(
  p_thought_id uuid, p_work_type text, p_worker_id text, p_status text, p_error text default null
) returns boolean language plpgsql as $$
begin
  update thought_work_claims set status = p_status, last_error = p_error
  where thought_id = p_thought_id and work_type = p_work_type and worker_id = p_worker_id and status = 'claimed';
  return found;
end $$;

create function public.release_claims_for_worker(p_work_type text, p_worker_id text)
returns int language plpgsql as $$
declare v_released int;
begin
  delete from thought_work_claims
  where work_type = p_work_type and worker_id = p_worker_id and status = 'claimed';
  get diagnostics v_released = row_count;
  return v_released;
end $$;`;
