-- pg_cron as a hosted project has it once it is enabled: postgres schedules, but writes no row of cron.job itself.
-- Run as the superuser, before the migrations; re-runnable.
create extension if not exists pg_cron;
grant usage on schema cron to postgres with grant option;
grant all on all functions in schema cron to postgres with grant option;
grant all on all tables in schema cron to postgres with grant option;
revoke all on cron.job from postgres;
grant select on cron.job to postgres with grant option;
