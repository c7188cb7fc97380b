import { count } from "../numbers.ts";
import type { Screen } from "../screen.ts";
import type { Examined } from "./examine.ts";
import { type Finding, type Mend, type Severity, worstOf } from "./finding.ts";

const LABELS = { sql: "SQL", command: "Run", by_hand: "Do" };
const RUNBOOK = "docs/operations.md";

/** What was found, for people: a line for each check, and its mend where there is one. */
export function print(examined: Examined[], screen: Screen): void {
  for (const { title, findings } of examined) {
    screen.title(title);
    const width = Math.max(...findings.map(({ id }) => id.length));
    for (const finding of findings) printFinding(finding, width, screen);
  }
  const findings = examined.flatMap(({ findings }) => findings);
  screen.line(`\n${mark(worstOf(findings), screen)} ${summary(findings)}`);
}

function printFinding(finding: Finding, width: number, screen: Screen): void {
  const { id, severity, says, mend } = finding;
  const { dim } = screen.paint;
  screen.line(`  ${mark(severity, screen)} ${id.padEnd(width)}  ${says}`);
  if (!mend) return;
  const [label, text] = textOf(mend);
  const margin = " ".repeat(width + 6);
  for (const [n, line] of text.split("\n").entries()) {
    screen.line(`${margin}${dim(n === 0 ? label : label.replace(/./g, " "))}  ${line}`);
  }
  screen.line(`${margin}${dim(`See  ${RUNBOOK}#${id}`)}`);
}

function mark(severity: Severity, { paint }: Screen): string {
  switch (severity) {
    case "ok":
      return paint.green("✓");
    case "info":
      return paint.dim("·");
    case "warning":
      return paint.yellow("!");
    case "error":
      return paint.red("✗");
  }
}

function textOf(mend: Mend): [label: string, text: string] {
  const [[kind, text]] = Object.entries(mend) as [keyof typeof LABELS, string][];
  return [LABELS[kind].padEnd(3), text];
}

function summary(findings: Finding[]): string {
  const times = (severity: Severity) =>
    findings.filter((finding) => finding.severity === severity).length;
  const [errors, warnings, infos] = [times("error"), times("warning"), times("info")];
  const told = [
    errors > 0 ? count(errors, "error") : [],
    warnings > 0 ? count(warnings, "warning") : [],
    infos > 0 ? `${infos} to know of` : [],
  ].flat();
  return `${told.length > 0 ? told.join(", ") : "All good"}, of ${
    count(findings.length, "check")
  }.`;
}
