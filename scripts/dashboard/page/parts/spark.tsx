const WIDTH = 96;
const HEIGHT = 22;

/** The shape of some numbers, beside a table's figures that tell them. */
export function Spark({ values, colour }: { values: number[]; colour: string }) {
  const most = Math.max(...values, 1);
  const points = values.map((value, n) =>
    `${(n * WIDTH / Math.max(1, values.length - 1)).toFixed(1)},${
      (HEIGHT - 1 - value / most * (HEIGHT - 3)).toFixed(1)
    }`
  );
  return (
    <svg class="spark" width={WIDTH} height={HEIGHT} aria-hidden="true">
      <polyline points={points.join(" ")} style={{ stroke: `var(--${colour})` }} />
    </svg>
  );
}
