/**
 * Sees who holds at once what only one may hold. It believes no clock and no record of the database:
 * whoever was granted it holds it from the answer on until it begins to give it back, or until its
 * lease can have ended at the earliest.
 */
export class Witness {
  /** How often somebody was granted what another one held. */
  overlaps = 0;
  readonly #held = new Map<string, number>();

  /** `until` and `now` on the clock of the holder. */
  takes(fence: string, until: number, now = performance.now()): void {
    for (const [other, end] of this.#held) {
      if (end > now) this.overlaps++;
      else this.#held.delete(other);
    }
    this.#held.set(fence, until);
  }

  gives(fence: string): void {
    this.#held.delete(fence);
  }
}
