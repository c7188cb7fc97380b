/**
 * Sends several queries over one connection without waiting in between. The database does them one
 * after the other. Each is sent by an `await`, and nothing else, or the order would be another one.
 */
export function inOrder<Answers extends unknown[]>(
  ...queries: { [N in keyof Answers]: () => PromiseLike<Answers[N]> }
): Promise<Answers> {
  return Promise.all(queries.map(async (query) => await query())) as Promise<Answers>;
}
