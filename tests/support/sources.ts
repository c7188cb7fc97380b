import type { Sql } from "postgres";
import type { TestDatabase } from "./database.ts";

/** A source for each type of key, among them names and ids that no code would come up with. */
export interface SampleSource {
  name: string;
  /** The table, as it is written in SQL, and its key. */
  table: string;
  key: string;
  /** Makes it, and the source of it. */
  create: string;
  /** The next key of a row. */
  next: string;
  /** What cannot be a key of it; null where any text can. */
  wrong: string | null;
}

export const SAMPLE_SOURCES: SampleSource[] = [
  {
    name: "thoughts",
    table: "public.thoughts",
    key: "id",
    create: "select",
    next: "gen_random_uuid()",
    wrong: "17",
  },
  {
    name: "papers",
    table: "public.papers",
    key: "id",
    create: `create table public.papers (id uuid primary key, content text);
      select dibs.create_claim_source('papers', 'public.papers')`,
    next: "gen_random_uuid()",
    wrong: "17",
  },
  {
    name: "documents",
    table: "public.documents",
    key: "id",
    create: `create table public.documents (id bigint primary key, content text);
      create sequence documents_key start 9007199254740993;
      select dibs.create_claim_source('documents', 'public.documents')`,
    next: "nextval('documents_key')",
    wrong: "9223372036854775808",
  },
  {
    name: "notes",
    table: `"My ""Notes"""."{id} it's $$ a \\table"`,
    key: `"The $$Key"`,
    create: `create schema "My ""Notes""";
      create table "My ""Notes"""."{id} it's $$ a \\table" (
        "The $$Key" int primary key, content text, reached int, t text, p_work_type int, "row" int);
      create sequence notes_key minvalue -9 start -2;
      select dibs.create_claim_source('notes', '"My ""Notes"""."{id} it''s $$ a \\table"')`,
    next: "nextval('notes_key')",
    wrong: "2147483648",
  },
  {
    name: "pages",
    table: "public.pages",
    key: "url",
    create: `create table public.pages (url text collate "C" unique, content text);
      create sequence pages_key;
      select dibs.create_claim_source('pages', 'public.pages', 'url')`,
    next: `'{of} "Seite" ä' || nextval('pages_key')`,
    wrong: null,
  },
];

/** Inserts so many rows; returns their ids, in the order of the text. */
export async function makeRows(sql: Sql, source: SampleSource, count: number): Promise<string[]> {
  const rows = await sql.unsafe(`
    insert into ${source.table} (${source.key}, content)
    select ${source.next}, 'row ' || n from generate_series(1, ${count}) n
    returning ${source.key}::text as id`);
  return rows.map(({ id }) => id).sort();
}

/** What a claim call grants of one row. */
export interface GrantedRow {
  id: string;
  fence: string;
  attempt: number;
  version: string | null;
  row: Record<string, unknown>;
}

interface Claim {
  workType?: string;
  worker?: string;
  seconds?: number;
  maxAttempts?: number;
  requestId?: string;
}

/** `claim_rows` */
export async function claimRows(
  sql: Sql,
  source: string,
  ids: string[],
  { workType = "index", worker = "worker", seconds = 60, maxAttempts = 5, requestId }: Claim = {},
): Promise<GrantedRow[]> {
  return [
    ...await sql<GrantedRow[]>`
      select id, fence, attempt, version, "row" from claim_rows(
        ${source}, ${workType}, ${worker}, ${ids}, ${seconds}, ${maxAttempts}, ${
      requestId ?? null
    })`,
  ];
}

/** `claim_next_rows` */
export async function claimNextRows(
  sql: Sql,
  source: string,
  limit: number,
  { workType = "index", worker = "worker", seconds = 60, maxAttempts = 5, requestId }: Claim = {},
): Promise<GrantedRow[]> {
  return [
    ...await sql<GrantedRow[]>`
      select id, fence, attempt, version, "row" from claim_next_rows(
        ${source}, ${workType}, ${worker}, ${limit}, ${seconds}, ${maxAttempts}, ${
      requestId ?? null
    })`,
  ];
}

export interface RowsSettled {
  settled: number;
  lost: string[];
  superseded: string[];
}

/** `settle_rows` */
export async function settleRows(
  sql: Sql,
  fence: string,
  outcomes: { id: string; status: string; error?: string; permanent?: boolean }[],
  rest: string | null = null,
): Promise<RowsSettled> {
  const [{ settled, lost, superseded }] = await sql`
    select * from settle_rows(${fence}, ${sql.json(outcomes as never)}, ${rest})`;
  return { settled, lost, superseded };
}

/** The ids of what was granted, in order. */
export function rowIds(granted: { id: string }[]): string[] {
  return granted.map(({ id }) => id).sort();
}

/** A table to make a source of. */
export const WORDS = `
  create table public.words (
    id bigint generated always as identity primary key, word text, ready boolean not null default true,
    version int not null default 1)`;

/** A source `words` with ids from 1 on, made with these arguments besides. */
export async function words(db: TestDatabase, count: number, options = ""): Promise<Sql> {
  await db.sql.unsafe(WORDS);
  await db.sql.unsafe(`select dibs.create_claim_source('words', 'public.words'${options})`);
  await db.sql`insert into words (word) select 'word ' || n from generate_series(1, ${count}) n`;
  return db.as("service_role");
}
