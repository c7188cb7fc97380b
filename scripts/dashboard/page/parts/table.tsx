import type { ComponentChildren } from "preact";

export interface Column<R> {
  head: string;
  cell(row: R): ComponentChildren;
  /** Numbers stand at the right. */
  isNumber?: boolean;
  /** On a phone it stands beside the first one. */
  isCorner?: boolean;
  /** How wide it may become: the rest goes to columns without. */
  width?: string;
}

/**
 * A table that a phone shows as a list of cards. The roles say what it is there, too. Rows are not
 * moved when others come before them: each line shows what now stands there.
 */
export function Table<R>({ label, columns, rows, empty }: {
  label: string;
  columns: Column<R>[];
  rows: R[];
  empty: ComponentChildren;
}) {
  if (rows.length === 0) return <p class="empty">{empty}</p>;
  return (
    <div class="table" role="region" aria-label={label} tabIndex={0}>
      <table role="table">
        <thead role="rowgroup">
          <tr role="row">
            {columns.map(({ head, isNumber, width }) => (
              <th
                key={head}
                role="columnheader"
                scope="col"
                class={isNumber ? "number" : undefined}
                style={width ? { width } : undefined}
              >
                {head || <span class="unseen">Actions</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row, n) => (
            <tr role="row" key={n}>
              {columns.map(({ head, cell, isNumber, isCorner }) => (
                <td
                  key={head}
                  role="cell"
                  data-head={head}
                  class={isNumber ? "number" : isCorner ? "corner" : undefined}
                >
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
