import type { Command, Option } from 'commander';

/** What a shell can help with where a value is wanted. */
export type ValueKind = 'file' | 'directory' | 'text';

export interface OptionNode {
  /** `--file`, and `-f` where there is one. */
  readonly flags: readonly string[];
  readonly description: string;
  /** Left out: the option takes no value. */
  readonly value?: ValueKind;
}

/** A command as a shell sees it. */
export interface CommandNode {
  /** From the program: `` for itself, `/topics/apply` for one of its commands. */
  readonly path: string;
  readonly name: string;
  readonly description: string;
  /** Its own; those of the program may be given with each command. */
  readonly options: readonly OptionNode[];
  readonly commands: readonly CommandNode[];
}

/** The tree of commands, without what is hidden. */
export function commandTree(program: Command, path = ''): CommandNode {
  const help = program.createHelp();
  const commands = help.visibleCommands(program).filter((command) => command.name() !== 'help');
  return {
    path,
    name: program.name(),
    description: program.description(),
    options: help.visibleOptions(program).map(optionNode),
    commands: commands.map((command) => commandTree(command, `${path}/${command.name()}`)),
  };
}

/** A command and all below it. */
export function allCommands(node: CommandNode): CommandNode[] {
  return [node, ...node.commands.flatMap(allCommands)];
}

function optionNode(option: Option): OptionNode {
  const flags = [option.long, option.short].filter((flag) => flag !== undefined && flag !== null);
  const takes = option.required || option.optional;
  return { flags, description: option.description, ...(takes ? { value: valueKind(option.flags) } : {}) };
}

function valueKind(flags: string): ValueKind {
  if (/<FILE>/.test(flags)) return 'file';
  return /<DIR>/.test(flags) ? 'directory' : 'text';
}
