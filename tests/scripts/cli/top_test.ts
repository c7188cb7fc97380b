// `dibs top` in a terminal of tmux: what it shows, how it answers keys, and that it gives back the screen.
import assert from "node:assert/strict";
import postgres from "postgres";
import { type Dibs, dibsShell } from "../../support/dibs.ts";
import { eventually } from "../../support/eventually.ts";
import { sharedStack, testStack } from "../../support/stack.ts";

Deno.test("top shows what goes on, answers keys and another size, and gives the screen back", async (t) => {
  await using stack = await testStack({ standIns: false });
  const sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  await using _closed = { [Symbol.asyncDispose]: () => sql.end() };
  await sql`select enqueue_tasks('[{"type": "email"}, {"type": "email"}, {"type": "import"}]')`;
  await sql`select claim_tasks(${"wide-ｗｏｒｋｅｒ-" + "x".repeat(90)}, '{email}', 2)`;
  await sql`select set_task_limit('import', 3)`;
  await using dibs = await dibsShell({
    SUPABASE_URL: stack.url,
    SUPABASE_SECRET_KEY: stack.secretKey,
  });
  await using terminal = await tmux(dibs, 80, 24);

  await t.step("the first picture fills 80 by 24 and no more", async () => {
    await terminal.type("dibs top --interval 1");
    const picture = await terminal.until(/Workers \(1\)/);
    assert.match(picture, /^dibs · the project at http/);
    assert.match(picture, /Tasks {4}1 pending {2}2 processing {2}0 failed/);
    assert.match(picture, /wide-ｗｏｒｋｅｒ-x+… +2 +0 /);
    assert.match(picture, /q Leave/);
    assert.ok(picture.trimEnd().split("\n").length <= 24);
  });
  await t.step("it goes on looking", async () => {
    await sql`select create_task('import')`;
    await terminal.until(/Tasks {4}2 pending/);
    await terminal.until(/Rates {4}\d+\.\d completed\/s/);
  });
  await t.step("a key shows something else", async () => {
    await terminal.press("g");
    assert.match(await terminal.until(/Gates \(1\)/), /type +import +3 at once/);
    await terminal.press("t");
    assert.match(await terminal.until(/Types \(2\)/), /email +0 +0 +2/);
    await terminal.press("c");
    await terminal.until(/Claims \(0\)\n\nNone\./);
    await terminal.press("d");
    await terminal.until(/Dispatches \(0\)/);
  });
  await t.step("another size is another picture", async () => {
    await terminal.resize(60, 12);
    const picture = await terminal.until(/every 1 s|q L?e?a?v?…/);
    assert.ok(picture.trimEnd().split("\n").length <= 12);
    await terminal.resize(100, 30);
    await terminal.until(/every 1 s/);
  });
  for (const [way, leave, code] of WAYS_OUT) {
    await t.step(`${way} restores the screen`, async () => {
      if (!(await terminal.isAlternate())) await terminal.type("dibs top");
      await terminal.until(/q Leave/);
      await leave(terminal);
      const screen = await terminal.until(/^before\n/);
      assert.doesNotMatch(screen, /Workers/);
      assert.deepEqual(await terminal.modes(), { alternate: "0", cursor: "1" });
      await terminal.type(
        "echo left with $?; stty -a | tr ' ' '\\n' | grep -x -e -echo -e -icanon",
      );
      await terminal.until(new RegExp(`left with ${code}\n\\$ *\n`));
      await terminal.type("clear; echo before");
      await terminal.until(/^before\n/);
    });
  }
});

Deno.test("top says when nobody answers any more, and leaves with 4 when nobody ever did", async () => {
  await using dibs = await dibsShell({
    SUPABASE_URL: "http://127.0.0.1:1",
    SUPABASE_SECRET_KEY: sharedStack().secretKey,
  });
  await using terminal = await tmux(dibs, 80, 24);
  await terminal.type("dibs top; echo left with $?");
  assert.match(await terminal.until(/left with \d/), /does not answer\.\n(.*\n)*left with 4/);
});

interface Terminal extends AsyncDisposable {
  type(line: string): Promise<void>;
  press(key: string): Promise<void>;
  resize(columns: number, rows: number): Promise<void>;
  /** Waits for something on the screen, and returns all of it. */
  until(wanted: RegExp): Promise<string>;
  isAlternate(): Promise<boolean>;
  modes(): Promise<{ alternate: string; cursor: string }>;
  /** Ends what runs in it. */
  killTop(signal: Deno.Signal): Promise<void>;
}

const WAYS_OUT: [way: string, leave: (terminal: Terminal) => Promise<void>, code: number][] = [
  ["q", (terminal) => terminal.press("q"), 0],
  ["Ctrl-C", (terminal) => terminal.press("C-c"), 0],
  ["SIGTERM", (terminal) => terminal.killTop("SIGTERM"), 143],
  ["SIGHUP", (terminal) => terminal.killTop("SIGHUP"), 129],
];

/** A terminal with a bash in it. */
async function tmux({ env }: Dibs, columns: number, rows: number): Promise<Terminal> {
  const socket = `dibs-test-${crypto.randomUUID()}`;
  const run = async (...args: string[]) => {
    const command = new Deno.Command("tmux", {
      args: ["-u", "-L", socket, "-f", "/dev/null", ...args],
      env: { ...env, TERM: "xterm-256color", LC_ALL: "C.UTF-8", PS1: "$ ", HISTFILE: "" },
    });
    const { success, stdout, stderr } = await command.output().catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      throw new Error("This test needs tmux: apt-get install tmux.");
    });
    assert.ok(success, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout);
  };
  const size = ["-x", `${columns}`, "-y", `${rows}`];
  await run("new-session", "-d", ...size, "-s", "top", "bash", "--norc", "--noprofile");
  const told = (format: string) => run("display", "-p", "-t", "top", format);
  const terminal: Terminal = {
    type: async (line) => void await run("send-keys", "-t", "top", line, "Enter"),
    press: async (key) => void await run("send-keys", "-t", "top", key),
    resize: async (x, y) =>
      void await run("resize-window", "-t", "top", "-x", `${x}`, "-y", `${y}`),
    until: (wanted) =>
      eventually(`${wanted} on the screen`, async () => {
        const screen = await run("capture-pane", "-p", "-t", "top");
        return wanted.test(screen) ? screen : null;
      }, 30),
    isAlternate: async () => (await told("#{alternate_on}")).trim() === "1",
    modes: async () => {
      const [alternate, cursor] = (await told("#{alternate_on} #{cursor_flag}")).trim().split(" ");
      return { alternate, cursor };
    },
    killTop: async (signal) => {
      const shell = (await told("#{pane_pid}")).trim();
      const children = await Deno.readTextFile(`/proc/${shell}/task/${shell}/children`);
      for (const pid of children.trim().split(" ")) Deno.kill(Number(pid), signal);
    },
    [Symbol.asyncDispose]: async () => void await run("kill-server"),
  };
  await terminal.type("clear; echo before");
  await terminal.until(/^before\n/);
  return terminal;
}
