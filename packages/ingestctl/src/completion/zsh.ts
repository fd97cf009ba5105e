import { allCommands, type CommandNode } from './command-tree.ts';
import { optionsAt, pathPatterns, valuePatterns } from './patterns.ts';

/** Completion for zsh, to be sourced or put into a directory of fpath as `_<name>`. */
export function zshScript(root: CommandNode): string {
  const name = root.name;
  const cases = allCommands(root).map((node) => {
    const commands = node.commands.map((command) => entry(command.name, command.description));
    const options = optionsAt(root, node).flatMap(({ flags, description }) =>
      flags.map((flag) => entry(flag, description)),
    );
    return `    ('${node.path}')\n      commands=(${commands.join(' ')})\n      options=(${options.join(' ')})\n      ;;`;
  });
  const branch = (patterns: readonly string[], then: string) =>
    patterns.length === 0 ? [] : [`    (${patterns.join(' | ')}) ${then} ;;`];
  return `#compdef ${name}
# Completion of ${name} for zsh: source <(${name} completion zsh)
_${name}() {
  local at='' word
  local -i i value=0
  local -a commands options
  for ((i = 2; i < CURRENT; i++)); do
    word=\${words[i]}
    if ((value)); then
      value=0
      continue
    fi
    case "$at $word" in
      (${valuePatterns(root, ['file', 'directory', 'text']).join(' | ')}) value=1 ;;
    esac
    case "$at/$word" in
      (${pathPatterns(root).join(' | ')}) at=$at/$word ;;
    esac
  done
  case "$at \${words[CURRENT - 1]}" in
${[
  ...branch(valuePatterns(root, ['file']), '_files; return'),
  ...branch(valuePatterns(root, ['directory']), '_files -/; return'),
  ...branch(valuePatterns(root, ['text']), 'return'),
].join('\n')}
  esac
  case "$at" in
${cases.join('\n')}
  esac
  ((\${#commands})) && _describe command commands
  _describe -o option options
}
if [ "\${funcstack[1]}" = _${name} ]; then
  _${name} "$@"
else
  compdef _${name} ${name}
fi
`;
}

/** `name:what it does`, quoted; the first colon ends the name. */
function entry(name: string, description: string): string {
  const quoted = description.replaceAll('\\', '\\\\').replaceAll(':', '\\:').replaceAll("'", "'\\''");
  return `'${name}:${quoted}'`;
}
