import type { ComponentChildren } from "preact";
import { lookAgain, type Refusal } from "../api.ts";
import type { Live } from "../live.ts";

/** A page's frame: its heading, what can be done there, and what it shows. */
export function Page({ title, actions, children }: {
  title: ComponentChildren;
  actions?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <>
      <header class="page">
        <h1 tabIndex={-1}>{title}</h1>
        <div class="actions">{actions}</div>
      </header>
      {children}
    </>
  );
}

/**
 * What was read, or what went wrong, or, before that is known, room for it. A part of a page is
 * silent when it cannot be read anew: the page says so.
 */
export function Loaded<T>({ live: { data, error, isOld }, isPart = false, children }: {
  live: Live<T>;
  isPart?: boolean;
  children(data: T): ComponentChildren;
}) {
  return (
    <>
      {error && (data === null || !isPart) && <Trouble error={error} isShown={data !== null} />}
      {data !== null
        ? <div class={isOld ? "old" : undefined} aria-busy={isOld}>{children(data)}</div>
        : error
        ? null
        : <Skeleton />}
    </>
  );
}

/** What went wrong; over the page when that shows what was read before, so that nothing of it moves. */
export function Trouble({ error, isShown }: { error: Refusal; isShown: boolean }) {
  return (
    <p class={isShown ? "problem over" : "problem"} role="alert">
      {error.says} {isShown && "What you see is older. "}
      <button type="button" class="link" onClick={lookAgain}>Try again</button>
    </p>
  );
}

/** Fills the page, so that nothing of it moves when what it stands for comes. */
export function Skeleton() {
  return (
    <div class="skeleton" role="status">
      <span class="unseen">Loading</span>
      {[0, 1, 2, 3, 4, 5, 6, 7].map((n) => <i key={n} />)}
    </div>
  );
}

export function Section({ title, says, children, actions }: {
  title: ComponentChildren;
  says?: ComponentChildren;
  actions?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <section class="card">
      <div class="head">
        <h2>{title}</h2>
        {says && <p class="quiet">{says}</p>}
        {actions && <div class="actions">{actions}</div>}
      </div>
      {children}
    </section>
  );
}
