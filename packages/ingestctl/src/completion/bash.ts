import { allCommands, type CommandNode } from './command-tree.ts';
import { optionsAt, pathPatterns, valuePatterns } from './patterns.ts';

/** Completion for bash 4 and newer. */
export function bashScript(root: CommandNode): string {
  const name = root.name;
  const words = allCommands(root).map((node) => {
    const flags = optionsAt(root, node).flatMap((option) => option.flags);
    return `    '${node.path}') words='${[...node.commands.map((command) => command.name), ...flags].join(' ')}' ;;`;
  });
  const branch = (patterns: readonly string[], then: string) =>
    patterns.length === 0 ? [] : [`    ${patterns.join(' | ')}) ${then} ;;`];
  return `# Completion of ${name} for bash: source <(${name} completion bash)
_${name}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} at='' value=0 i word words=''
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if ((value)); then
      value=0
      continue
    fi
    case "$at $word" in
      ${valuePatterns(root, ['file', 'directory', 'text']).join(' | ')}) value=1 ;;
    esac
    case "$at/$word" in
      ${pathPatterns(root).join(' | ')}) at=$at/$word ;;
    esac
  done
  case "$at $prev" in
${[
  ...branch(
    valuePatterns(root, ['file']),
    'compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")); return',
  ),
  ...branch(
    valuePatterns(root, ['directory']),
    'compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$cur")); return',
  ),
  ...branch(valuePatterns(root, ['text']), 'return'),
].join('\n')}
  esac
  case "$at" in
${words.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _${name} ${name}
`;
}
