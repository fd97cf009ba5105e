import { CommanderError } from 'commander';
import { JournalFile } from './journal-file.ts';
import { type LoadCommand, loadProgram, readCommand } from './options.ts';
import { ProbeMeter } from './probe.ts';
import { runLoad } from './run-load.ts';
import { progressLine, summaryText } from './summary.ts';
import { Journal, verify } from './verify.ts';

/** Where the program writes. */
export interface Output {
  out(text: string): void;
  err(text: string): void;
  readonly terminal: boolean;
}

const VERIFY_MS = 60_000;

/** Runs a command line and returns its exit status. Never throws. */
export async function load(args: readonly string[], output: Output): Promise<number> {
  const program = loadProgram().configureOutput({ writeOut: output.out, writeErr: output.err });
  try {
    program.parse([...args], { from: 'user' });
    return await run(readCommand(program), output);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    output.err(`load: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
}

async function run(command: LoadCommand, output: Output): Promise<number> {
  const { load, clickhouse, json } = command;
  const journal = new Journal();
  const file = command.journal === undefined ? undefined : new JournalFile(command.journal);
  const probes = clickhouse === undefined ? undefined : new ProbeMeter(clickhouse, load);
  const live = output.terminal && !json;
  probes?.start();
  const result = await runLoad(load, {
    onSend: (attempt) => file?.onSend(attempt),
    onFate: (fate) => {
      journal.add(fate);
      file?.onFate(fate);
    },
    onProgress: (totals, seconds) => {
      if (live) output.out(`\r${progressLine(totals, seconds)}`);
    },
  });
  const queryable = (await probes?.stop()) ?? [];
  await file?.close();
  const verdict =
    command.verify && clickhouse !== undefined ? await verify(clickhouse, result.run, journal, VERIFY_MS) : undefined;
  output.out(summaryText(result, queryable, verdict, json));
  if (verdict === undefined) return 0;
  const { lost, doubled, alien, misplaced } = verdict;
  return lost + doubled + alien + misplaced > 0 ? 1 : 0;
}
