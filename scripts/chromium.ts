import { type Browser, chromium } from "playwright-core";

/** Where Debian has it, and others. */
const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Starts the browser of this machine; none is downloaded. */
export async function launchChromium(place?: string): Promise<Browser> {
  for (const executablePath of place ? [place] : PLACES) {
    if (!await Deno.stat(executablePath).catch(() => null)) continue;
    // In containers it runs as root, where its sandbox cannot.
    return await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  }
  throw new Error(
    `This needs a browser, and there is none at ${place ?? PLACES.join(" or ")}. ` +
      "Install it: apt-get install chromium.",
  );
}
