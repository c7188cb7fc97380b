-- How many claims there are of each source and kind of work. Small tables are counted whenever somebody asks; a large
-- one by a tick, so seldom that it takes no more than a hundredth of the time. What is open is always counted, by its
-- index.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create table if not exists dibs.claim_count (
  source text not null,
  work_type text not null,
  succeeded bigint not null,
  failed bigint not null,
  counted_at timestamptz not null,
  next_at timestamptz not null
);
comment on table dibs.claim_count is
  'How many claims of sources with a large table had ended how at the last count, and when the next is due. The work
type '''' stands for all of them, so that there is a row also where none has ended.';

create or replace function dibs.count_claims(p_large bigint default 8388608) returns void
  language plpgsql set search_path = '' as $$
declare
  v_began timestamptz;
  v_source text;
  v_took interval;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('dibs.claim_count', 0)) then return; end if;
  for v_source in
    select s.name from dibs.claim_source s
    where pg_relation_size(to_regclass('public.' || dibs.claims_table(s.name))) >= p_large
      and not exists (select from dibs.claim_count c where c.source = s.name and c.next_at > dibs.clock())
  loop
    v_began := clock_timestamp();
    delete from dibs.claim_count where source = v_source;
    execute format($sql$
      insert into dibs.claim_count
      select $1, coalesce(work_type, ''), count(*) filter (where status = 'succeeded'),
        count(*) filter (where status = 'failed'), dibs.clock(), dibs.clock()
      from public.%s group by grouping sets (work_type, ())$sql$, dibs.claims_table(v_source)) using v_source;
    v_took := clock_timestamp() - v_began;
    update dibs.claim_count set next_at = counted_at + 100 * v_took where source = v_source;
  end loop;
  delete from dibs.claim_count c where not exists (
    select from dibs.claim_source s where s.name = c.source
      and pg_relation_size(to_regclass('public.' || dibs.claims_table(s.name))) >= p_large);
end $$;
comment on function dibs.count_claims(bigint) is
  'Count the claims of sources whose table is as large as that in bytes, unless the last count was lately: the next is
due after a hundred times as long as it took. Only one at a time; nobody waits.';

create or replace function dibs.claim_counts(p_source text)
  returns table (
    source text, work_type text, claimed bigint, succeeded bigint, failed bigint, expired bigint,
    counted_at timestamptz)
  language plpgsql stable set search_path = '' as $$
declare
  v_counted boolean := exists (select from dibs.claim_count c where c.source = p_source);
  v_ended text := case when v_counted then
      $sql$select c.work_type, c.succeeded, c.failed, c.counted_at from dibs.claim_count c
      where c.source = $1 and c.work_type <> ''$sql$
    else
      format($sql$select work_type, count(*) filter (where status = 'succeeded') as succeeded,
        count(*) filter (where status = 'failed') as failed, null::timestamptz as counted_at
      from public.%s group by work_type$sql$, dibs.claims_table(p_source)) end;
begin
  return query execute format($sql$
    select $1, work_type, coalesce(o.claimed, 0), coalesce(e.succeeded, 0), coalesce(e.failed, 0),
      coalesce(o.expired, 0), e.counted_at
    from (%s) e
    full join (
      select work_type, count(*) as claimed, count(*) filter (where ttl_expires_at < $2) as expired
      from public.%s where status = 'claimed' group by work_type
    ) o using (work_type)
    order by work_type$sql$, v_ended, dibs.claims_table(p_source)) using p_source, dibs.clock();
end $$;
comment on function dibs.claim_counts(text) is
  'How many claims of a source there are of each kind of work: open ones, those of them that are past their time, and
those that ended. counted_at: when the latter were counted, null: just now.';

select dibs.seal();
