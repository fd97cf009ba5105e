import { allCommands, type CommandNode, type OptionNode } from './command-tree.ts';
import { pathPatterns, valuePatterns } from './patterns.ts';

/** Completion for fish. */
export function fishScript(root: CommandNode): string {
  const name = root.name;
  const lines = allCommands(root).flatMap((node) => [
    ...node.commands.map(
      (command) =>
        `complete -c ${name} -n '__${name}_at "${node.path}"' -a ${command.name} -d ${quote(command.description)}`,
    ),
    ...node.options.map((option) => optionLine(name, node, root, option)),
  ]);
  const fish = (patterns: readonly string[]) => patterns.map((pattern) => pattern.replace(/^\*'/, "'*")).join(' ');
  return `# Completion of ${name} for fish: ${name} completion fish | source
function __${name}_at
    set -l at ''
    set -l value 0
    for word in (commandline -opc)[2..-1]
        if test $value -eq 1
            set value 0
            continue
        end
        switch "$at $word"
            case ${fish(valuePatterns(root, ['file', 'directory', 'text']))}
                set value 1
        end
        switch "$at/$word"
            case ${pathPatterns(root).join(' ')}
                set at "$at/$word"
        end
    end
    test "$at" = "$argv[1]"
end
complete -c ${name} -f
${lines.join('\n')}
`;
}

function optionLine(name: string, node: CommandNode, root: CommandNode, option: OptionNode): string {
  const flags = option.flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  // -x: a value that is no file; -r -F: one that is.
  const value = option.value === undefined ? '' : option.value === 'text' ? ' -x' : ' -r -F';
  const where = node === root ? '' : ` -n '__${name}_at "${node.path}"'`;
  return `complete -c ${name}${where} ${flags.join(' ')}${value} -d ${quote(option.description)}`;
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
