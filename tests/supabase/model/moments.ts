/** Moments of the model, milliseconds from the beginning, and those of the database. */
export class Moments {
  constructor(private readonly beginning: Date) {}

  date(moment: number | null): Date | null {
    return moment === null ? null : new Date(this.beginning.getTime() + moment);
  }

  of(date: Date | string | null): number | null {
    return date === null ? null : new Date(date).getTime() - this.beginning.getTime();
  }

  inRow<Row extends object>(row: Row): Row {
    const entries = Object.entries(row).map((
      [column, value],
    ) => [column, value instanceof Date ? this.of(value) : value]);
    return Object.fromEntries(entries) as Row;
  }
}
