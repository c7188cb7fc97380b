import { useState } from "preact/hooks";
import { read, type Refusal } from "../api.ts";
import type { Examined } from "../answers.ts";
import { plural, words } from "../format.ts";
import { Badge } from "../parts/badge.tsx";
import { Copy } from "../parts/copy.tsx";
import { Page, Section, Skeleton } from "../parts/page.tsx";

type Finding = Examined["findings"][number];

export function Doctor() {
  const [isBusy, setBusy] = useState(false);
  const [examined, setExamined] = useState<Examined[] | null>(null);
  const [error, setError] = useState<Refusal | null>(null);
  const examine = async () => {
    setBusy(true);
    setError(null);
    setExamined(null);
    try {
      setExamined(await read<Examined[]>("doctor"));
    } catch (error) {
      setError(error as Refusal);
    } finally {
      setBusy(false);
    }
  };
  const verb = isBusy ? "Looking …" : examined ? "Look again" : "Examine";
  return (
    <Page
      title="Doctor"
      actions={
        <button type="button" class="primary" disabled={isBusy} onClick={examine}>
          {/* Another text is another element, so that none moves. */}
          <span key={verb}>{verb}</span>
        </button>
      }
    >
      <p class="quiet lead">
        Looks at the project for what may be wrong, and says what mends it. It only reads.
      </p>
      {error && <p class="problem" role="alert">{error.says}</p>}
      {isBusy
        ? <Skeleton />
        : examined
        ? <Findings examined={examined} />
        : !error && <p class="empty">Nothing was looked at yet. It takes a few seconds.</p>}
    </Page>
  );
}

function Findings({ examined }: { examined: Examined[] }) {
  const all = examined.flatMap(({ findings }) => findings);
  const some = (severity: string) => all.filter((finding) => finding.severity === severity);
  const errors = some("error");
  const warnings = some("warning");
  const serious = [...errors, ...warnings];
  const tone = errors.length > 0 ? "bad" : warnings.length > 0 ? "warn" : "good";
  return (
    <>
      <p class={`verdict ${tone}`} role="status">
        {serious.length === 0 ? "All is well." : `${
          [
            errors.length > 0 && plural(errors.length, "error"),
            warnings.length > 0 && plural(warnings.length, "warning"),
          ].filter(Boolean).join(", ")
        }.`} <span class="quiet">{plural(some("ok").length, "check")} passed.</span>
      </p>
      {serious.length > 0 && (
        <Section title="To mend">
          <List findings={serious} />
        </Section>
      )}
      <div class="grid wide">
        {examined.map(({ title, findings }) => {
          const rest = findings.filter((finding) => !serious.includes(finding));
          return rest.length > 0 && (
            <Section title={title} key={title}>
              <List findings={rest} />
            </Section>
          );
        })}
      </div>
    </>
  );
}

function List({ findings }: { findings: Finding[] }) {
  return (
    <ul class="findings">
      {findings.map(({ id, severity, says, mend }) => (
        <li key={id}>
          <Badge state={severity} />
          <div>
            <b>{words(id)}</b> <span class="text">{says}</span>
            {mend && <Mend mend={mend} />}
          </div>
        </li>
      ))}
    </ul>
  );
}

function Mend({ mend }: { mend: NonNullable<Finding["mend"]> }) {
  if ("by_hand" in mend) return <p class="mend text">{mend.by_hand}</p>;
  const text = "sql" in mend ? mend.sql : mend.command;
  return (
    <div class="mend">
      <pre class="json" tabIndex={0} role="region" aria-label="What mends it">{text}</pre>
      <Copy text={text} what="what mends it" />
    </div>
  );
}
