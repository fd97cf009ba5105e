import { Argument, type Command } from 'commander';
import type { Outside } from '../outside.ts';
import { bashScript } from './bash.ts';
import { type CommandNode, commandTree } from './command-tree.ts';
import { fishScript } from './fish.ts';
import { zshScript } from './zsh.ts';

const SCRIPTS: Readonly<Record<string, (root: CommandNode) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** Registers `completion`, last: its scripts are made of all commands. */
export function addCompletion(program: Command, outside: Outside): void {
  program
    .command('completion')
    .description('Prints a script that completes commands and options in a shell.')
    .addArgument(new Argument('<SHELL>', 'the shell').choices(Object.keys(SCRIPTS)))
    .addHelpText(
      'after',
      [
        '\nExamples:',
        '  source <(ingestctl completion bash)                                     # in ~/.bashrc',
        '  source <(ingestctl completion zsh)                                      # in ~/.zshrc, after compinit',
        '  ingestctl completion fish > ~/.config/fish/completions/ingestctl.fish',
      ].join('\n'),
    )
    .action((shell: string) => outside.out(SCRIPTS[shell]?.(commandTree(program)) ?? ''));
}
