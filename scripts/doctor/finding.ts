/** From harmless to serious. */
export const SEVERITIES = ["ok", "info", "warning", "error"] as const;

export type Severity = typeof SEVERITIES[number];

/** SQL for `psql` or the SQL editor, a command for a shell, or what only a person can do. */
export type Mend = { sql: string } | { command: string } | { by_hand: string };

/** What a check says. */
export interface Found {
  severity: Severity;
  /** One sentence. */
  says: string;
  mend?: Mend;
}

/** What a check of this name says. `docs/operations.md` has a section of the same name. */
export interface Finding extends Found {
  id: string;
}

export function ok(says: string): Found {
  return { severity: "ok", says };
}

export function info(says: string): Found {
  return { severity: "info", says };
}

export function warning(says: string, mend: Mend): Found {
  return { severity: "warning", says, mend };
}

export function error(says: string, mend: Mend): Found {
  return { severity: "error", says, mend };
}

/** The most serious of all; of none, `ok`. */
export function worstOf(findings: Found[]): Severity {
  return SEVERITIES[
    Math.max(0, ...findings.map(({ severity }) => SEVERITIES.indexOf(severity)))
  ];
}
