import { Refusal } from "./refusal.ts";

/** What was answered to request ids: a repeat does nothing again. */
export class Requests {
  #answers = new Map<string, { verb: string; answer: unknown }>();

  once<Answer>(verb: string, request: string | null, call: () => Answer): Answer {
    const answer = this.recall<Answer>(verb, request) ?? call();
    this.remember(verb, request, answer);
    return answer;
  }

  recall<Answer>(verb: string, request: string | null): Answer | undefined {
    const before = this.#answers.get(request ?? "");
    if (before && before.verb !== verb) throw new Refusal("PT409");
    return before?.answer as Answer | undefined;
  }

  remember(verb: string, request: string | null, answer: unknown): void {
    if (request !== null) this.#answers.set(request, { verb, answer });
  }
}
