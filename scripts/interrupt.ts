/** What a command ends with that a signal interrupted. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

type Signal = keyof typeof EXIT_CODES;

/** Aborted by the first signal, with its name; after that everything is being stopped anyway. */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of Object.keys(EXIT_CODES) as Signal[]) {
    Deno.addSignalListener(name, () => controller.abort(name));
  }
  return controller.signal;
}

/** Of an {@link interruptSignal} that is aborted. */
export function exitCodeOf({ reason }: AbortSignal): number {
  return EXIT_CODES[reason as Signal];
}
