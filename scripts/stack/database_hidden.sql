-- Projects made since May 2026 hide new objects from the API until they are granted. This is
-- what the platform runs on them, and no more: TRUNCATE, REFERENCES, TRIGGER and MAINTAIN stay
-- granted, and PUBLIC may still execute new functions.
alter default privileges for role postgres in schema public
  revoke select, insert, update, delete on tables from anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  revoke usage, select on sequences from anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  revoke execute on functions from anon, authenticated, service_role;
