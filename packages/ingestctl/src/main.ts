import { readFileSync } from 'node:fs';
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

const status = await createProgram({
  env: process.env,
  readFile: (path) => readFileSync(path, 'utf8'),
  writeFile,
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  terminal: process.stdout.isTTY === true,
  colours: mayColour(process.stdout.isTTY === true, process.env),
  interruptible,
}).run(process.argv.slice(2));
process.exit(status);
