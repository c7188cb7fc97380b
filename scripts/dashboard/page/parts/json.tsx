/** Data of somebody, as text. */
export function Json({ label, value }: { label: string; value: unknown }) {
  return (
    <pre
      class="json"
      tabIndex={0}
      role="region"
      aria-label={label}
    >{JSON.stringify(value, null, 2)}</pre>
  );
}
