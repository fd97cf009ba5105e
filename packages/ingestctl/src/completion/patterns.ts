import { allCommands, type CommandNode, type OptionNode, type ValueKind } from './command-tree.ts';

/** Every path below the program, quoted for a shell's `case`. */
export function pathPatterns(root: CommandNode): string[] {
  return allCommands(root).flatMap(({ path }) => (path === '' ? [] : [`'${path}'`]));
}

/** `path option` of each option that takes such a value, as patterns of a shell; those of the program are good everywhere. */
export function valuePatterns(root: CommandNode, kinds: readonly ValueKind[]): string[] {
  const takes = ({ value }: OptionNode) => value !== undefined && kinds.includes(value);
  return allCommands(root).flatMap(({ path, options }) =>
    options
      .filter(takes)
      .flatMap(({ flags }) => flags.map((flag) => (path === '' ? `*' ${flag}'` : `'${path} ${flag}'`))),
  );
}

/** A command's options, and those of the program. */
export function optionsAt(root: CommandNode, node: CommandNode): OptionNode[] {
  const own = new Set(node.options.flatMap(({ flags }) => flags));
  return [
    ...node.options,
    ...(node === root ? [] : root.options.filter(({ flags }) => !flags.some((f) => own.has(f)))),
  ];
}
