import type { VNode } from "preact";
import { renderToString } from "preact-render-to-string";
import { type Scheme, styleOf } from "./look.ts";

/** Narrow, so that a phone shows the text hardly smaller than it is. */
const WIDTH = 420;
const MARGIN = 16;
/** How wide the body of a plot may be. */
export const BODY_WIDTH = WIDTH - 2 * MARGIN;

/** What a plot shows: the finding, how to read it, the same in words, and the marks. */
export interface Drawing {
  title: string;
  subtitle: string;
  /** Every value there is to see. */
  description: string;
  body: VNode;
  bodyHeight: number;
}

/** A whole SVG file: the same text for the same drawing, wherever it is made. */
export function renderFrame(drawing: Drawing, source: string[], scheme: Scheme): string {
  const title = linesOf(drawing.title, 44);
  const subtitle = linesOf(drawing.subtitle, 62);
  const below = source.flatMap((line) => linesOf(line, 66));
  const belowTitle = MARGIN + 20 * title.length + 16 * subtitle.length + 14;
  const belowBody = belowTitle + drawing.bodyHeight + 12;
  const height = belowBody + 14 * below.length + MARGIN - 2;
  const svg = renderToString(
    <svg
      xmlns="http://www.w3.org/2000/svg"
      role="img"
      aria-labelledby="title description"
      width={WIDTH}
      height={height}
      viewBox={`0 0 ${WIDTH} ${height}`}
    >
      <title id="title">{drawing.title}</title>
      <desc id="description">{`${drawing.subtitle}. ${drawing.description}`}</desc>
      <style>{styleOf(scheme)}</style>
      <rect class="card" x={0.5} y={0.5} width={WIDTH - 1} height={height - 1} rx={8} />
      <TextLines class="title" y={MARGIN + 14} step={20} lines={title} />
      <TextLines class="quiet" y={MARGIN + 20 * title.length + 13} step={16} lines={subtitle} />
      <g transform={`translate(${MARGIN} ${belowTitle})`}>{drawing.body}</g>
      <TextLines class="source" y={belowBody + 10} step={14} lines={below} />
    </svg>,
  );
  return svg.replaceAll("><", ">\n<") + "\n";
}

function TextLines(
  { lines, y, step, class: name }: { lines: string[]; y: number; step: number; class: string },
) {
  return (
    <>
      {lines.map((line, i) => <text key={i} class={name} x={MARGIN} y={y + i * step}>{line}</text>)}
    </>
  );
}

/** Broken at blanks, as evenly as so many lines allow. */
function linesOf(text: string, longest: number): string[] {
  const fair = text.length / Math.ceil(text.length / longest);
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines[lines.length - 1];
    const longer = line ? `${line} ${word}` : word;
    const fits = longer.length <= longest && line.length < fair;
    if (fits) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
