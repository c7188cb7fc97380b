import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

/** Where Debian has it, and others. */
const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Debian's browser. Use it as `await using browser = await startBrowser()`. */
export async function startBrowser(): Promise<
  AsyncDisposable & { open(options?: BrowserContextOptions): Promise<WatchedPage> }
> {
  const browser = await launch();
  return {
    open: async (options) => watch(await (await browser.newContext(options)).newPage()),
    [Symbol.asyncDispose]: () => browser.close(),
  };
}

/** A page that keeps what went wrong in it. */
export interface WatchedPage {
  page: Page;
  /** Errors of the console and of scripts, and dialogs, which only a script of somebody else's would open. */
  troubles: string[];
}

async function launch(): Promise<Browser> {
  for (const executablePath of PLACES) {
    if (!await Deno.stat(executablePath).catch(() => null)) continue;
    // Tests run as root in containers, where the sandbox cannot.
    return await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  }
  throw new Error(
    `This test needs a browser, and there is none at ${PLACES.join(" or ")}. ` +
      "Install it: apt-get install chromium.",
  );
}

function watch(page: Page): WatchedPage {
  const troubles: string[] = [];
  page.on("pageerror", (error) => troubles.push(error.message));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) troubles.push(message.text());
  });
  page.on("dialog", async (dialog) => {
    troubles.push(`dialog ${dialog.message()}`);
    await dialog.dismiss();
  });
  return { page, troubles };
}
