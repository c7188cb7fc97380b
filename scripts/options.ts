import { InvalidArgumentError } from "commander";

/** The value of an option that counts something. */
export function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError("Give a whole number from 1.");
  return Number(text);
}

/** For a run that repeats no earlier one. */
export function newSeed(): number {
  return Math.floor(Math.random() * 1_000_000);
}
