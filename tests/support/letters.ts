import type { Sql } from "postgres";
import { claim, enqueue } from "./tasks.ts";
import { claimNamed, makeThoughts } from "./thoughts.ts";

export type Surface = "tasks" | "thoughts";

/** A table of a user's own, and a function that writes into it and completes the work it is for. */
export async function makeLetters(sql: Sql): Promise<void> {
  await sql.unsafe(`
    create table public.letters (work uuid not null);
    alter table public.letters enable row level security;
    grant select, insert on public.letters to service_role;
    create function public.write_letter(p_fence text, p_id uuid, p_letter text default null) returns text
      language plpgsql set search_path = '' as $$
    begin
      perform public.assert_lease(p_fence, p_id);
      insert into public.letters values (p_id);
      perform public.complete_with_result(p_fence, p_id, p_letter::jsonb);
      return 'written';
    end $$;
    revoke execute on function public.write_letter from public;
    grant execute on function public.write_letter to service_role;`);
}

/** So many new tasks or thoughts, under one fresh lease of 60 s. */
export async function claimLetters(sql: Sql, surface: Surface, count: number) {
  if (surface === "tasks") {
    await enqueue(sql, "letter", count);
    const tasks = await claim(sql, { limit: count });
    return { fence: tasks[0].fence, ids: tasks.map(({ id }) => id) };
  }
  const thoughts = await claimNamed(sql, await makeThoughts(sql, count));
  return { fence: thoughts[0].fence, ids: thoughts.map(({ thought_id }) => thought_id) };
}

export async function completeBy(
  sql: Sql,
  fence: string,
  id: string,
  result: unknown = null,
): Promise<void> {
  await sql`select write_letter(${fence}, ${id}, ${JSON.stringify(result)})`;
}

/** The work that letters were written for. */
export async function lettersOf(sql: Sql): Promise<string[]> {
  return (await sql`select work from letters`).map(({ work }) => work);
}
