/** The colours of the dashboard, by the scheme of whoever reads. */
const COLOURS = {
  light: {
    ground: "#ffffff",
    rule: "#e2e5ea",
    text: "#171b21",
    quiet: "#5b6472",
    dibs: "#0a7054",
    second: "#2463d1",
    other: "#5b6472",
    bound: "#6d7684",
  },
  dark: {
    ground: "#0e1116",
    rule: "#2a313c",
    text: "#e7eaee",
    quiet: "#9aa5b3",
    dibs: "#2fc296",
    second: "#6ea4ff",
    other: "#9aa5b3",
    bound: "#727d8c",
  },
};

/** For light or for dark surroundings. */
export type Scheme = keyof typeof COLOURS;

/**
 * Every scheme there is a picture for. A file each, chosen by `<picture>`, is what GitHub documents for
 * its themes; what a media query inside an image goes by is left to the browser.
 */
export const SCHEMES: Scheme[] = ["light", "dark"];

/** What the elements of a plot look like, by their class. Marks take the colour of their group. */
export function styleOf(scheme: Scheme): string {
  const { ground, rule, text, quiet, ...tones } = COLOURS[scheme];
  return [
    "text{font:12px ui-sans-serif,system-ui,-apple-system,'Segoe UI',Roboto," +
    "'Helvetica Neue',Arial,sans-serif;font-variant-numeric:tabular-nums;fill:" + text + "}",
    ".title{font-size:15px;font-weight:650}",
    `.quiet{fill:${quiet}}`,
    `.source{font-size:10.5px;fill:${quiet}}`,
    `.card{fill:${ground};stroke:${rule}}`,
    `.grid{stroke:${rule}}`,
    `.one{stroke:${quiet};stroke-dasharray:2 3}`,
    ...Object.entries(tones).map(([tone, colour]) => `.${tone}{color:${colour}}`),
    ".bar,.dot{fill:currentColor}",
    ".other .bar{fill-opacity:.75}",
    `.range{stroke:${text}}`,
    `.around{stroke:${ground};stroke-width:3}`,
    `.value,.label{paint-order:stroke;stroke:${ground};stroke-width:3px}`,
    ".line{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round}",
    ".bound .line{stroke-dasharray:5 4}",
    ".bound .bar{fill-opacity:.35;stroke:currentColor;stroke-dasharray:3 2}",
    ".repeat{fill:none;stroke:currentColor;stroke-opacity:.3}",
    ".band{fill:currentColor;fill-opacity:.13}",
    ".label{fill:currentColor;font-weight:600}",
    ".more{font-weight:400}",
  ].join("\n");
}
