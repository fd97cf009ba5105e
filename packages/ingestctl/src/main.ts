import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { mayColour } from './output.ts';
import { createProgram } from './program.ts';
import { writeFile } from './write-file.ts';

/** A second signal ends the process at once. */
function interruptible(): AbortSignal {
  const interrupted = new AbortController();
  const onSignal = () => interrupted.abort(new Error('interrupted'));
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  return interrupted.signal;
}

/** Only a clear yes counts. */
async function ask(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await lines.question(`${question} [y/N] `);
  lines.close();
  return /^y(es)?$/i.test(answer.trim());
}

const status = await createProgram({
  env: process.env,
  readFile: (path) => readFileSync(path, 'utf8'),
  writeFile,
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  terminal: process.stdout.isTTY === true,
  colours: mayColour(process.stdout.isTTY === true, process.env),
  interruptible,
  ...(process.stdin.isTTY === true ? { ask } : {}),
}).run(process.argv.slice(2));
process.exit(status);
