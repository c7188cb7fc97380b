-- Reasons of explain_task that somebody set: what the task waits for, a pause, an order, a limit, a rate. And those of
-- explain_claim: a pause, a limit, a rate.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function dibs.why_waiting(p_task dibs.task_facts) returns dibs.explanation
  language plpgsql stable set search_path = '' as $$
declare
  v_waiting dibs.waiting;
begin
  select * into v_waiting from dibs.waiting w where w.task = dibs.task_of(p_task.id);
  if not found then return null; end if;
  return row(p_task.status, 'dependency',
    jsonb_build_object('depends_mode', v_waiting.mode, 'on_parent_failure', v_waiting.on_parent_failure,
      'waits_for', (
        select jsonb_agg(jsonb_build_object('id', d.id, 'status', d.status) order by d.id)
        from public.task_dependencies(p_task.id) d where d.status is distinct from 'completed')),
    null,
    'The end of the tasks it depends on; explain_task says of each of them why that has not come.')::dibs.explanation;
end $$;
comment on function dibs.why_waiting(dibs.task_facts) is 'Whether it waits for others that it depends on.';

create or replace function dibs.why_paused(p_task dibs.task_facts) returns dibs.explanation
  language plpgsql stable set search_path = '' as $$
declare
  v_gate dibs.gate;
begin
  select * into v_gate from dibs.gate g
    where g.paused_at is not null and g.type in ('', p_task.type)
      and (g.scope in ('everything', 'type') or g.scope = 'key' and g.key = p_task.key)
    order by g.type, g.scope desc limit 1;
  if not found then return null; end if;
  return row(p_task.status, 'paused',
    jsonb_strip_nulls(jsonb_build_object('scope', v_gate.scope, 'type', nullif(v_gate.type, ''),
      'key', nullif(v_gate.key, ''), 'paused_at', v_gate.paused_at)),
    null,
    format('select resume_tasks(%s).', concat_ws(', ', quote_literal(nullif(v_gate.type, '')),
      quote_literal(nullif(v_gate.key, '')))))::dibs.explanation;
end $$;
comment on function dibs.why_paused(dibs.task_facts) is 'Whether its type, its key or everything is paused.';

create or replace function dibs.why_out_of_order(p_task dibs.task_facts) returns dibs.explanation
  language plpgsql stable set search_path = '' as $$
declare
  v_first public.tasks;
begin
  if p_task.order_key is null then return null; end if;
  select t.* into v_first
    from (
      select o.task from dibs.in_order o
      where o.type = p_task.type and o.order_key = p_task.order_key order by o.task limit 1
    ) o, public.tasks t
    where t.id = dibs.id_of(o.task, hashint8extended(o.task, (select seed from dibs.id_seed)));
  if v_first.id is null or v_first.id = p_task.id then return null; end if;
  return row(p_task.status, 'order',
    jsonb_build_object('order_key', p_task.order_key, 'behind', v_first.id, 'its_status', v_first.status),
    null,
    format('The end of task %s, the first of its order key; explain_task says why that has not come.', v_first.id))
    ::dibs.explanation;
end $$;
comment on function dibs.why_out_of_order(dibs.task_facts) is
  'Whether another task of its order key comes first, and has not ended.';

create or replace function dibs.why_limited(p_task dibs.task_facts) returns dibs.explanation
  language plpgsql stable set search_path = '' as $$
declare
  v_key text;
  v_most int;
  v_running bigint;
begin
  foreach v_key in array array['', coalesce(p_task.key, '')] loop
    v_most := (dibs.gate_of(p_task.type, v_key)).most;
    continue when v_most is null;
    v_running := dibs.running(p_task.type, nullif(v_key, ''));
    if v_running >= v_most then
      return row(p_task.status, 'limit',
        jsonb_strip_nulls(jsonb_build_object('type', p_task.type, 'key', nullif(v_key, ''), 'max_running', v_most,
          'running', v_running)),
        null,
        format('The end of one that runs, or a higher limit: select set_task_limit(%s).',
          concat_ws(', ', quote_literal(p_task.type), v_most + 1, quote_literal(nullif(v_key, '')))))
        ::dibs.explanation;
    end if;
  end loop;
  return null;
end $$;
comment on function dibs.why_limited(dibs.task_facts) is
  'Whether as many of its type, or of its key, run as may at once.';

create or replace function dibs.why_rated(p_task dibs.task_facts) returns dibs.explanation
  language plpgsql stable set search_path = '' as $$
declare
  v_key text;
  v_gate record;
  v_opens_at timestamptz;
begin
  foreach v_key in array array['', coalesce(p_task.key, '')] loop
    v_gate := dibs.gate_of(p_task.type, v_key);
    continue when v_gate.rate is null;
    v_opens_at := dibs.opens_at(p_task.type, v_key);
    if v_opens_at > dibs.clock() then
      return row(p_task.status, 'rate',
        jsonb_strip_nulls(jsonb_build_object('type', p_task.type, 'key', nullif(v_key, ''), 'rate', v_gate.rate,
          'period', v_gate.period, 'burst', v_gate.burst)),
        v_opens_at,
        'Time; or another rate, by set_task_rate.')::dibs.explanation;
    end if;
  end loop;
  return null;
end $$;
comment on function dibs.why_rated(dibs.task_facts) is
  'Whether as many of its type, or of its key, were claimed as may in a time.';

-- Claims -------------------------------------------------------------------------------------------

create or replace function dibs.why_kept_back(p_source text, p_work_type text, p_key text) returns dibs.explanation
  language plpgsql stable set search_path = '' as $$
declare
  v_why dibs.explanation := dibs.why_claims_paused(p_source, p_work_type, p_key);
begin
  if v_why.reason is null then v_why := dibs.why_gate_closed(p_source, p_work_type, ''); end if;
  if v_why.reason is null and p_key <> '' then
    v_why := dibs.why_gate_closed(p_source, p_work_type, p_key);
  end if;
  return v_why;
end $$;
comment on function dibs.why_kept_back(text, text, text) is
  'Whether this kind of work on the source is paused, or as many rows are claimed for it as may at once, or were in a
time; or those of the key of this row.';

create or replace function dibs.why_claims_paused(p_source text, p_work_type text, p_key text) returns dibs.explanation
  language plpgsql stable set search_path = '' as $$
declare
  v_gate dibs.claim_gate;
begin
  select * into v_gate from dibs.claim_gate g
    where g.source = p_source and g.paused_at is not null and g.work_type in ('', p_work_type)
      and (g.scope in ('everything', 'work type') or g.scope = 'key' and g.key = p_key)
    order by g.work_type, g.scope desc limit 1;
  if not found then return null; end if;
  return row('unclaimed', 'paused',
    jsonb_strip_nulls(jsonb_build_object('work_type', nullif(v_gate.work_type, ''), 'key', nullif(v_gate.key, ''),
      'paused_at', v_gate.paused_at)),
    null,
    format('select resume_claims(%s).', concat_ws(', ', quote_literal(p_source),
      quote_literal(nullif(v_gate.work_type, '')), quote_literal(nullif(v_gate.key, '')))))::dibs.explanation;
end $$;
comment on function dibs.why_claims_paused(text, text, text) is
  'Whether everything of the source, this kind of work, or the key of this row for it is paused.';

create or replace function dibs.why_gate_closed(p_source text, p_work_type text, p_key text) returns dibs.explanation
  language plpgsql stable set search_path = '' as $$
declare
  v_gate record := dibs.claim_gate_of(p_source, p_work_type, p_key);
  v_opens_at timestamptz := dibs.claims_open_at(p_source, p_work_type, p_key);
  v_claimed bigint;
begin
  if v_opens_at is not null then
    return row('unclaimed', 'rate',
      jsonb_strip_nulls(jsonb_build_object('key', nullif(p_key, ''), 'rate', v_gate.rate, 'period', v_gate.period,
        'burst', v_gate.burst)),
      v_opens_at, 'Time; or another rate, by set_claim_rate.')::dibs.explanation;
  end if;
  v_claimed := dibs.count_claimed(p_source, p_work_type, nullif(p_key, ''));
  if v_claimed < v_gate.most is not false then return null; end if;
  return row('unclaimed', 'limit',
    jsonb_strip_nulls(jsonb_build_object('key', nullif(p_key, ''), 'max_running', v_gate.most, 'running', v_claimed)),
    null,
    format('The end of one that is claimed, or a higher limit: select set_claim_limit(%s).',
      concat_ws(', ', quote_literal(p_source), quote_literal(p_work_type), v_gate.most + 1,
        quote_literal(nullif(p_key, '')))))::dibs.explanation;
end $$;
comment on function dibs.why_gate_closed(text, text, text) is
  'Whether the limit or the rate of a kind of work (key empty) or of a key for it lets nothing through now.';

select dibs.seal();
