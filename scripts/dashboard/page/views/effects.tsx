import { act, Refusal } from "../api.ts";
import type { ParkedEffect } from "../answers.ts";
import { useLive } from "../live.ts";
import { ask } from "../parts/ask.tsx";
import { Copy } from "../parts/copy.tsx";
import { Loaded, Page } from "../parts/page.tsx";
import { Table } from "../parts/table.tsx";
import { Time } from "../parts/time.tsx";
import { linkTo } from "../router.ts";

export function Effects() {
  const live = useLive<ParkedEffect[]>("effects");
  return (
    <Page title="Effects">
      <p class="quiet lead">
        What may have happened outside the database, for an attempt was cut off. Ask the other side,
        and decide: until then the work stands still.
      </p>
      <Loaded live={live}>
        {(effects) => (
          <Table
            label="Effects in doubt"
            rows={effects}
            empty="Nothing is in doubt."
            columns={[
              {
                head: "Effect",
                cell: ({ key, idempotency_key }) => (
                  <>
                    <b class="text">{key}</b>
                    <span class="below small">
                      <span class="quiet">idempotency key</span>{" "}
                      <code class="text">{idempotency_key}</code>{" "}
                      <Copy text={idempotency_key} what="the idempotency key" />
                    </span>
                  </>
                ),
              },
              { head: "Of", width: "14rem", cell: (effect) => <Work {...effect} /> },
              { head: "Begun", width: "8rem", cell: ({ begun_at }) => <Time at={begun_at} /> },
              {
                head: "",
                width: "16.5rem",
                isNumber: true,
                cell: (effect) => (
                  <span class="buttons">
                    <button
                      type="button"
                      aria-label={`It happened: ${effect.key}`}
                      onClick={() => happened(effect)}
                    >
                      It happened
                    </button>
                    <button
                      type="button"
                      aria-label={`It did not: ${effect.key}`}
                      onClick={() => didNotHappen(effect)}
                    >
                      It did not
                    </button>
                  </span>
                ),
              },
            ]}
          />
        )}
      </Loaded>
    </Page>
  );
}

function Work({ id, type, work_type }: ParkedEffect) {
  if (type !== null) return <a class="text" href={linkTo(["tasks", id])}>{type}</a>;
  return (
    <>
      <span class="text">{work_type}</span>
      <code class="below quiet small">{id}</code>
    </>
  );
}

function happened(effect: ParkedEffect): void {
  ask({
    title: `${effect.key} happened?`,
    says: "It is not done again. The work goes on past it, with what came of it.",
    fields: [{
      name: "result",
      label: "What came of it, as JSON",
      hint: "Left empty: null. The handler gets it as if it had done it itself.",
    }],
    verb: "It happened",
    run: ({ result }) => settle(effect, true, resultOf(result)),
  });
}

function didNotHappen(effect: ParkedEffect): void {
  ask({
    title: `${effect.key} did not happen?`,
    says: "The next attempt does it. If it did happen after all, it happens twice.",
    verb: "It did not",
    isDangerous: true,
    run: () => settle(effect, false, null),
  });
}

async function settle({ id, key, work_type }: ParkedEffect, happened: boolean, result: unknown) {
  const goesOn = await act("settle_effect", { id, key, work_type, happened, result });
  return goesOn ? "Decided; its work waits to be done again." : "Decided.";
}

function resultOf(text: string): unknown {
  if (!text.trim()) return null;
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal("What came of it is not JSON.", "Put text into double quotes.");
  }
}
