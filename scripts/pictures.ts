import { Command } from "commander";
import { join } from "node:path";
import postgres from "postgres";
import { launchChromium } from "./chromium.ts";
import { PROJECT_DIR } from "./stack/migrate.ts";
import { startStack } from "./stack/stack.ts";
import { setScene } from "./pictures/scene.ts";

const SCREENS = {
  desktop: { viewport: { width: 1280, height: 860 }, deviceScaleFactor: 1 },
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 1.5, isMobile: true },
};
const SCHEMES = ["dark", "light"] as const;

const program = new Command("npm run pictures --")
  .description("Takes the pictures of the dashboard under docs/images, of a project made for them.")
  .option("--chromium <path>", "the browser, where it is not found by itself")
  .option("--to <folder>", "where they are put", join(PROJECT_DIR, "docs/images"))
  .parse(Deno.args, { from: "user" });
const options = program.opts<{ chromium?: string; to: string }>();

const stateDir = await Deno.makeTempDir({ prefix: "dibs-pictures-" });
await using parts = new AsyncDisposableStack();
parts.defer(() => Deno.remove(stateDir, { recursive: true }));
const stack = await startStack({ stateDir, port: 0 });
parts.defer(stack.stop);
const sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
parts.defer(() => sql.end());
const { failed } = await setScene(sql);
const browser = await launchChromium(options.chromium);
parts.defer(() => browser.close());

const VIEWS: Record<string, string> = {
  overview: "",
  backlog: "backlog",
  tasks: "tasks?status=failed",
  task: `tasks/${failed}`,
  workers: "workers",
  claims: "claims",
  gates: "gates",
  schedules: "schedules",
  effects: "effects",
  dispatches: "dispatches",
  doctor: "doctor",
};
const canvas = await browser.newPage();
await Deno.mkdir(options.to, { recursive: true });
for (const [screen, size] of Object.entries(SCREENS)) {
  for (const colorScheme of SCHEMES) {
    const page = await browser.newPage({ ...size, colorScheme });
    for (const [view, path] of Object.entries(VIEWS)) {
      await page.goto("about:blank");
      await page.goto(`${stack.url}/dashboard/#/${path}`);
      if (view === "doctor") await page.getByRole("button", { name: "Examine" }).click();
      await page.locator("h1").waitFor();
      if (view === "doctor") await page.locator(".verdict").waitFor({ timeout: 60_000 });
      await page.locator("main :is(.skeleton, [aria-busy=true])").first()
        .waitFor({ state: "detached" });
      const file = join(options.to, `dashboard-${view}-${screen}-${colorScheme}.webp`);
      await Deno.writeFile(file, await toWebp(await page.screenshot()));
    }
    await page.close();
  }
}

/** A third of a PNG's size; the browser is there anyway. */
async function toWebp(png: Uint8Array): Promise<Uint8Array> {
  const webp = await canvas.evaluate(async (address) => {
    const image = new Image();
    image.src = address;
    await image.decode();
    const { width, height } = image;
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    canvas.getContext("2d")!.drawImage(image, 0, 0);
    return canvas.toDataURL("image/webp", 0.9);
  }, `data:image/png;base64,${png.toBase64()}`);
  return Uint8Array.fromBase64(webp.split(",")[1]);
}
