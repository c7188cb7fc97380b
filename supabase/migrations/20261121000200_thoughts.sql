-- The thoughts are not Dibs's own: where a project has them, they stay as they are. A project that
-- has none gets the table here, so that claims have something to point at.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

do $$
declare
  v_vector text;
begin
  if to_regclass('public.thoughts') is not null then return; end if;

  -- The embedding needs an extension that not every server has; claims work without it.
  begin
    create extension if not exists vector with schema extensions;
  exception when others then
    raise notice 'public.thoughts gets no embedding column: %', sqlerrm;
  end;
  select format('embedding %I.vector(1536),', n.nspname) into v_vector
  from pg_extension e join pg_namespace n on n.oid = e.extnamespace
  where e.extname = 'vector';

  execute format($create$
    create table public.thoughts (
      id uuid default gen_random_uuid() primary key,
      content text not null,
      %s
      metadata jsonb default '{}',
      created_at timestamptz default now(),
      updated_at timestamptz default now()
    )$create$, coalesce(v_vector, ''));
  create index thoughts_created_at on public.thoughts (created_at);
  comment on table public.thoughts is 'What there is to do work about.';
  alter table public.thoughts enable row level security;
  revoke all on public.thoughts from public, anon, authenticated, service_role;
  grant select, insert, update, delete on public.thoughts to service_role;
end $$;

-- A claim locks the thoughts it grants, lest one be deleted under it; a lock asks for update.
grant select, update on public.thoughts to service_role;

select dibs.seal();
