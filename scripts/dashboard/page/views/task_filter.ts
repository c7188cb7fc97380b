/** What `find_tasks` and the functions for many tasks take, of a view's address. */
export function filterOf(query: Record<string, string>): Record<string, unknown> {
  const { status, type, error, key, payload, id } = query;
  return {
    ...status && { statuses: [status] },
    ...type && { types: type.split(",").map((name) => name.trim()).filter(Boolean) },
    ...error && { error: `%${error.replace(/[\\%_]/g, "\\$&")}%` },
    ...key && { key },
    ...payload && { payload: objectOf(payload) },
    ...id && { ids: [id] },
  };
}

export function isTaskId(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}

/** What is no JSON goes as it is: the database says what is wrong with it. */
function objectOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
