/** What `find_tasks` and the functions for many tasks take, of a view's address. */
export function filterOf(query: Record<string, string>): Record<string, unknown> {
  const { status, type, error, key, payload } = query;
  return {
    ...status && { statuses: [status] },
    ...type && { types: type.split(",").map((name) => name.trim()).filter(Boolean) },
    ...error && { error: `%${error.replace(/[\\%_]/g, "\\$&")}%` },
    ...key && { key },
    ...payload && { payload: objectOf(payload) },
  };
}

export const TASK_ID = /^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/;

/** What is no JSON goes as it is: the database says what is wrong with it. */
function objectOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
