import assert from "node:assert/strict";
import type { BenchCluster } from "../../../scripts/bench/cluster.ts";
import type { Contender } from "../../../scripts/bench/contender.ts";
import { pgmq } from "../../../scripts/bench/contenders/pgmq.ts";
import { leaveOut } from "../../../scripts/bench/left_out.ts";
import type { Cell } from "../../../scripts/bench/workload.ts";

const cluster = {} as BenchCluster;
const here = { name: "here" } as Contender;
const able: Contender = { ...here, name: "able", missing: () => Promise.resolve(null) };
const unable: Contender = { ...here, name: "unable", missing: () => Promise.resolve("too old") };

function cell(name: string, contenders: Contender[]): Cell {
  return { workload: "drain", name, contenders, measure: () => Promise.reject() };
}

Deno.test("who cannot be measured is left out of every cell, and named once with the reason", async () => {
  const { cells, leftOut } = await leaveOut(cluster, [
    cell("b1", [here, unable, able]),
    cell("b100", [{ ...unable }, here]),
  ]);
  assert.deepEqual(cells.map(({ contenders }) => contenders), [[here, able], [here]]);
  assert.deepEqual(leftOut, [{ contender: "unable", reason: "too old" }]);
});

Deno.test("a cell nobody can be measured in is gone", async () => {
  const { cells } = await leaveOut(cluster, [cell("b1", [unable]), cell("b100", [here])]);
  assert.deepEqual(cells.map(({ name }) => name), ["b100"]);
});

Deno.test("who is in no cell is not missed", async () => {
  const { leftOut } = await leaveOut(cluster, [cell("b1", [here])]);
  assert.deepEqual(leftOut, []);
});

Deno.test("pgmq that is nowhere is left out, and a path to no file is a mistake", async () => {
  const before = Deno.env.get("PGMQ_SQL");
  try {
    Deno.env.delete("PGMQ_SQL");
    const { leftOut: [{ reason }] } = await leaveOut(cluster, [cell("b1", [pgmq])]);
    assert.match(reason, /PGMQ_SQL is not set/);
    Deno.env.set("PGMQ_SQL", "/nowhere/pgmq.sql");
    await assert.rejects(
      leaveOut(cluster, [cell("b1", [pgmq])]),
      /PGMQ_SQL .*\/nowhere\/pgmq\.sql/,
    );
  } finally {
    if (before === undefined) Deno.env.delete("PGMQ_SQL");
    else Deno.env.set("PGMQ_SQL", before);
  }
});
