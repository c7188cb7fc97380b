import assert from "node:assert/strict";
import { sharedStack } from "../support/stack.ts";
import { checkHandlers } from "./clone.ts";
import { documentRunner, RUNNABLE } from "./document_runner.ts";
import { type Block, blocksOf, documents, readDocument } from "./markdown.ts";

const all: Block[] = [];
for (const file of await documents()) {
  const blocks = blocksOf(file, await readDocument(file));
  all.push(...blocks);
  if (!blocks.some(isRun)) continue;
  Deno.test(`the blocks of ${file} run and print what it says`, async (t) => {
    await using runner = await documentRunner(sharedStack());
    for (const [index, block] of blocks.entries()) {
      if (!isRun(block)) continue;
      await t.step(`${file}:${block.line} ${block.language}`, async () => {
        const printed = await runner.run(block);
        const next = blocks[index + 1];
        if (next && isOutput(next)) assertPrints(printed, next.text);
        else if (block.language === "sh") assert.equal(printed, "", "it prints what is not shown");
      });
    }
  });
}

Deno.test("the handlers in the documents are what handlers have to be", () => checkHandlers(all));

Deno.test("all that is shown as printed follows a block that runs", () => {
  const unchecked = all.filter((block, index) => isOutput(block) && !isRun(all[index - 1]));
  assert.deepEqual(unchecked, []);
});

function isRun(block: Block): boolean {
  return RUNNABLE.includes(block.language) && block.notRun === null;
}

/** These two languages are for nothing else: what stands in them was printed by the block before. */
function isOutput(block: Block): boolean {
  return block.language === "json" || block.language === "text";
}

/** Layout aside; what differs from run to run is written as `…`. */
function assertPrints(printed: string, shown: string): void {
  const pattern = squeeze(shown).split("…").map(escape).join("[^]*?");
  if (!new RegExp(`^${pattern}$`, "u").test(squeeze(printed))) {
    assert.equal(printed, shown, "it prints something else than is shown");
  }
}

/** Without white space, and without the lines psql draws. */
function squeeze(text: string): string {
  return text.replace(/^[-+\s]+$/gm, "").replace(/\s+/g, "");
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
