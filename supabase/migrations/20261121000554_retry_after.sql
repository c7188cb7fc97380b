-- When to ask again, for whoever claimed nothing because rates keep all back.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function public.task_retry_after(p_types text[] default null) returns double precision
  language plpgsql stable set search_path = '' as $$
begin
  if not exists (select from dibs.bucket) or dibs.all_paused() then return null; end if;
  return (
    with recursive lane as (
      select l.type, l.priority, dibs.opens_at(l.type, '') as opens_at,
        exists (select from dibs.gate g where g.type = l.type and g.scope in ('each key', 'key')) as by_key
      from unnest(dibs.gated_lanes(coalesce(array_remove(p_types, ''), array['']))) l
    ), waiting as (
      -- The first key of a lane, and the others only where they may have gates of their own.
      select lane.*, first.key from lane,
        lateral (
          select g.key from dibs.gated g where g.type = lane.type and g.priority = lane.priority order by g.key limit 1
        ) first
      union all
      select w.type, w.priority, w.opens_at, w.by_key, next.key from waiting w,
        lateral (
          select g.key from dibs.gated g
          where w.by_key and g.type = w.type and g.priority = w.priority and g.key > w.key order by g.key limit 1
        ) next
    ), rated as (
      select greatest(w.opens_at, dibs.opens_at(w.type, w.key)) as opens_at from waiting w
      where not exists (
        select from dibs.gate g
        where g.type = w.type and g.scope = 'key' and g.key = w.key and g.paused_at is not null)
    )
    -- What no rate keeps back may go at any moment.
    select case when bool_and(opens_at is not null) then
        greatest(ceil(extract(epoch from min(opens_at) - dibs.clock()) * 1000), 1)::float8 / 1000 end
    from rated);
end $$;
comment on function public.task_retry_after(text[]) is
  'In how many seconds the first of the due tasks of these types (null: of all) gets past its rates. Null when nothing
is due, or some of it waits for something else than a rate and may be had at any moment; what is paused does not count.
For whoever has just claimed nothing.';

select dibs.seal();
