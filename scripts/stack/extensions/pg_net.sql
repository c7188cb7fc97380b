-- pg_net as a hosted project has it once it is enabled.
-- Run as the superuser, before the migrations; re-runnable.
create extension if not exists pg_net with schema extensions;
grant usage on schema net to postgres, anon, authenticated, service_role;
