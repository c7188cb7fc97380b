import type { Workload } from "./workload.ts";

/** What the mail sink, which knows nothing of Dibs, has delivered since these were opened. */
export interface Emails {
  /** How many there should be. */
  expected: number;
  count(): Promise<{
    /** To this run's people. */
    sent: number;
    recipients: number;
    /** Repeats that an idempotency key held back. */
    absorbed: number;
  }>;
}

/** Begins to count. */
export async function openEmails(
  mailUrl: string,
  { isRecipient, recipients: expected }: Pick<Workload, "isRecipient" | "recipients">,
): Promise<Emails> {
  const ask = async () => await (await fetch(mailUrl)).json();
  const before = await ask();
  return {
    expected,
    async count() {
      const { emails, absorbed } = await ask();
      const addresses = emails.map(({ to }: { to: string }) => to).filter(isRecipient);
      return {
        sent: addresses.length,
        recipients: new Set(addresses).size,
        absorbed: absorbed - before.absorbed,
      };
    },
  };
}
