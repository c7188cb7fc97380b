import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Refusal } from "../api.ts";

/** What somebody is asked before anything is done. */
export interface Question {
  title: string;
  /** What will happen. */
  says: ComponentChildren;
  /** What may be said to it: names and labels of inputs. */
  fields?: { name: string; label: string; hint?: string; isNumber?: boolean; required?: boolean }[];
  /** The word on the button that does it. */
  verb: string;
  isDangerous?: boolean;
  /** Does it, and says what came of it. */
  run(given: Record<string, string>): Promise<string>;
}

let show: (question: Question) => void = () => {};

/** Asks, and does it when the answer is yes. */
export function ask(question: Question): void {
  show(question);
}

/** The one dialog, and where the outcome is told. */
export function Asking() {
  const [question, setQuestion] = useState<Question | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Refusal | null>(null);
  const [told, setTold] = useState("");
  const dialog = useRef<HTMLDialogElement>(null);
  show = (next) => {
    setProblem(null);
    setQuestion(next);
  };
  useEffect(() => {
    if (question && !dialog.current!.open) dialog.current!.showModal();
  }, [question]);
  useEffect(() => {
    const timer = told && setTimeout(() => setTold(""), 6_000);
    return () => clearTimeout(timer || undefined);
  }, [told]);

  const run = async (event: SubmitEvent) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(event.target as HTMLFormElement)) as Record<
      string,
      string
    >;
    setBusy(true);
    setProblem(null);
    try {
      setTold(await question!.run(given));
      dialog.current!.close();
    } catch (error) {
      setProblem(error as Refusal);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <dialog ref={dialog} aria-labelledby="ask-title" onClose={() => setQuestion(null)}>
        {question && (
          <form onSubmit={run}>
            <h2 id="ask-title">{question.title}</h2>
            <div class="says">{question.says}</div>
            {question.fields?.map(({ name, label, hint, isNumber, required }) => (
              <label class="field" key={name}>
                <span>{label}</span>
                <input
                  name={name}
                  required={required}
                  inputMode={isNumber ? "decimal" : "text"}
                  pattern={isNumber ? "[0-9]*[.]?[0-9]+" : undefined}
                  autoComplete="off"
                />
                {hint && <small>{hint}</small>}
              </label>
            ))}
            {problem && <p class="problem" role="alert">{problem.says}</p>}
            <div class="buttons">
              <button type="button" onClick={() => dialog.current!.close()}>Leave it</button>
              <button
                type="submit"
                class={question.isDangerous ? "danger" : "primary"}
                disabled={isBusy}
              >
                {isBusy ? "Doing it …" : question.verb}
              </button>
            </div>
          </form>
        )}
      </dialog>
      <div class="toast" role="status" aria-live="polite">{told && <p>{told}</p>}</div>
    </>
  );
}
