/** A request before it is known what the database has at hand for it. */
export interface Draft {
  method: string;
  /** After the address of the endpoint. */
  path: string;
  headers: Record<string, string>;
  /** Null for none. */
  body: string | null;
  /** What becomes of the body on its way to bytes. */
  encode: (text: string) => Uint8Array<ArrayBuffer>;
}

export type Change = (draft: Draft) => Draft;

/** How bodies are sent, unless a change says otherwise. */
export function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
