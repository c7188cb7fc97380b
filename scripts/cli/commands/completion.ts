import { Argument, type Command } from "commander";
import { explained } from "../command.ts";
import { print } from "../output.ts";

type Shell = keyof typeof SCRIPTS;

/** What may follow a command: `tasks list` → its options, or the commands below it. */
type Words = Map<string, string[]>;

export function completion(program: Command): void {
  explained(
    program.command("completion").description("Print what lets a shell complete dibs commands."),
    [
      'eval "$(dibs completion bash)"      # in ~/.bashrc',
      'eval "$(dibs completion zsh)"       # in ~/.zshrc, after compinit',
      "dibs completion fish | source       # in ~/.config/fish/config.fish",
    ],
  )
    .addArgument(new Argument("<shell>", "which one").choices(Object.keys(SCRIPTS)))
    .action((shell: Shell) => print(SCRIPTS[shell](wordsOf(program)).trimEnd()));
}

function wordsOf(command: Command, path = "", words: Words = new Map()): Words {
  const below = command.commands.map((one) => one.name());
  words.set(path, [...below, ...command.options.map((option) => option.long!), "--help"]);
  for (const one of command.commands) wordsOf(one, `${path} ${one.name()}`.trim(), words);
  return words;
}

const SCRIPTS = {
  bash: (words: Words) =>
    `
_dibs() {
  local word path="" current="\${COMP_WORDS[COMP_CWORD]}"
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${path:+$path }$word" in
      ${paths(words)}) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path" in
${cases(words, (list) => `COMPREPLY=($(compgen -W "${list}" -- "$current"))`)}
  esac
}
complete -F _dibs dibs
`.trimStart(),
  zsh: (words: Words) =>
    `
_dibs() {
  local word route=""
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "\${route:+$route }$word" in
      ${paths(words)}) route="\${route:+$route }$word" ;;
    esac
  done
  case "$route" in
${cases(words, (list) => `compadd -- ${list}`)}
  esac
}
compdef _dibs dibs
`.trimStart(),
  fish: (words: Words) =>
    [
      `
function __dibs_path
  set -l path
  for word in (commandline -opc)[2..]
    switch "$path $word"
      case ${[...words.keys()].filter(Boolean).map((path) => `'${atRoot(path)}'`).join(" ")}
        set path (string trim "$path $word")
    end
  end
  echo "$path"
end
complete -c dibs -f`.trimStart(),
      ...[...words].map(([path, list]) =>
        `complete -c dibs -n 'test "$(__dibs_path)" = "${path}"' -a '${list.join(" ")}'`
      ),
    ].join("\n"),
};

/** In fish the path is empty at first, and a blank comes before the word all the same. */
function atRoot(path: string): string {
  return path.includes(" ") ? path : ` ${path}`;
}

function paths(words: Words): string {
  return [...words.keys()].filter(Boolean).map((path) => `"${path}"`).join("|");
}

function cases(words: Words, then: (list: string) => string): string {
  return [...words].map(([path, list]) => `    "${path}") ${then(list.join(" "))} ;;`).join("\n");
}
