import { delay } from "@std/async/delay";

/** Waits until `look` finds something, and returns it; what never comes fails the test. */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
  seconds = 15,
): Promise<NonNullable<T>> {
  const end = Date.now() + seconds * 1_000;
  while (Date.now() < end) {
    const found = await look();
    if (found) return found;
    await delay(20);
  }
  throw new Error(`Not seen within ${seconds} s: ${what}`);
}
