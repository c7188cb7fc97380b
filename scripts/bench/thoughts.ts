import type { BenchDatabase } from "./cluster.ts";

/** Adds so many thoughts that nobody has claimed. */
export async function addThoughts({ superuser }: BenchDatabase, thoughts: number): Promise<void> {
  await superuser`
    insert into public.thoughts (content)
    select 'thought number ' || n from generate_series(1, ${thoughts}::int) n`;
  await superuser`analyze`;
}
