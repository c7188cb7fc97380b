import type { BrowserContextOptions, Page } from "playwright-core";
import { launchChromium } from "../../scripts/chromium.ts";

/** Debian's browser. Use it as `await using browser = await startBrowser()`. */
export async function startBrowser(): Promise<
  AsyncDisposable & { open(options?: BrowserContextOptions): Promise<WatchedPage> }
> {
  const browser = await launchChromium();
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
