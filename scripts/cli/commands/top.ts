import type { Command } from "commander";
import { connecting, type Options, wholeNumberTo } from "../command.ts";
import { EXIT, Failure } from "../exit_codes.ts";
import { columnsOfOutput } from "../output.ts";
import { findProject, type Project } from "../project.ts";
import { draw } from "../top/draw.ts";
import { look, type View } from "../top/look.ts";
import { PANELS } from "../top/panels.ts";
import { fullScreen } from "../top/full_screen.ts";

export function top(program: Command): void {
  connecting(program, "top", "Watch it live: tasks, workers, rates, claims, dispatches.", [
    "dibs top",
    "dibs top --interval 10",
  ])
    .option("--interval <seconds>", "how often it looks", wholeNumberTo(3600), 2)
    .addHelpText(
      "after",
      `
Keys: ${
        PANELS.map(({ key, title }) => `${key} ${title.toLowerCase()}`).join(", ")
      }; space looks now; q leaves.`,
    )
    .action(async (options: Options & { interval: number }) => {
      if (!Deno.stdout.isTerminal() || !Deno.stdin.isTerminal()) {
        throw new Failure(
          EXIT.wrongUse,
          "top needs a terminal.",
          "`dibs status --json` is for programs.",
        );
      }
      const project = await findProject(options);
      await watch(project, options.interval, await look(project, PANELS[0]));
    });
}

/** Until somebody leaves. A look that fails leaves the last picture, with what went wrong. */
async function watch(project: Project, interval: number, first: View): Promise<void> {
  await using screen = fullScreen();
  let view = first;
  let panel = PANELS[0];
  let problem = "";
  const paint = () => {
    const size = { columns: columnsOfOutput(), rows: Deno.consoleSize().rows };
    screen.draw(draw({ project, panel, view, problem, interval }, size));
  };
  paint();
  while (true) {
    const event = await screen.next(interval * 1000);
    if (event === "quit") return;
    if (event === "resize") {
      paint();
      continue;
    }
    panel = PANELS.find(({ key }) => key === event) ?? panel;
    try {
      view = await look(project, panel, view);
      problem = "";
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      problem = error.message;
    }
    paint();
  }
}
