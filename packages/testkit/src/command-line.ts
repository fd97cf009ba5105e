import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';

type Values<T extends ParseArgsOptionsConfig> = ReturnType<typeof parseArgs<{ options: T }>>['values'];

const WRONG_USAGE = 2;

/**
 * The options of this process's command line, for the programs of bench/. Where `--help` is asked for it prints the help and
 * ends with 0; what is not an option it says in one line, and ends with 2.
 */
export function readCommandLine<const T extends ParseArgsOptionsConfig>(options: T, help: string): Values<T> {
  const asked = process.argv.slice(2).some((each) => each === '--help' || each === '-h');
  if (asked) {
    process.stdout.write(help);
    process.exit(0);
  }
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return wrongUsage((error as Error).message);
  }
}

/** Says in one line what is wrong with the command line, and ends the process with 2. */
export function wrongUsage(message: string): never {
  process.stderr.write(`${message.split('. ', 1)[0]}; see --help\n`);
  process.exit(WRONG_USAGE);
}
