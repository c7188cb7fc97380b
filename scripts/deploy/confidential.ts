/** Shorter values are settings, such as 400, and would blot out half of the output. */
const SHORTEST = 8;

/** What nobody may read in the output: tools may repeat in their errors what they were given. */
export class Confidential {
  readonly #values = new Set<string>();

  /** From now on this value is hidden. */
  keep(value: string): string {
    for (const form of [value, encodeURIComponent(value)]) {
      if (form.length >= SHORTEST) this.#values.add(form);
    }
    return value;
  }

  /** The text, without any value that is kept. */
  hide(text: string): string {
    // The longest first: one value may be part of another.
    const values = [...this.#values].sort((a, b) => b.length - a.length);
    return values.reduce((text, value) => text.replaceAll(value, "[hidden]"), text);
  }
}
