import { readFileSync } from 'node:fs';
import { type FaultPoint, onFaultPoint } from '@weir/pipeline';
import { createProgram } from '../src/index.ts';

/** Runs ingestctl and dies, as by `kill -9`, when it comes to a fault point for the n-th time: killed-at.ts POINT N ARGS… */
const [point, times, ...args] = process.argv.slice(2);
let left = Number(times);

onFaultPoint((at: FaultPoint) => {
  if (at === point && --left === 0) process.kill(process.pid, 'SIGKILL');
});

const status = await createProgram({
  env: process.env,
  readFile: (path) => readFileSync(path, 'utf8'),
  writeFile: () => undefined,
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  terminal: false,
}).run(args);
process.exit(status);
