/**
 * Loaded before a service of the stack (`--import`): its wall clock is off by what a file says, in milliseconds, and jumps
 * when that file changes. The monotonic clock goes on as it is, as it does when a machine's clock is set.
 */
import { existsSync, readFileSync, watch } from 'node:fs';
import { basename, dirname, join } from 'node:path';

const service = /services\/(\w+)\/src\/main\.ts$/.exec(process.argv[1] ?? '')?.[1];
const beside = process.env.WEIR_FAULT_POINTS_FILE;
if (service !== undefined && beside !== undefined) shift(join(dirname(beside), `clock-${service}`));

function shift(file: string): void {
  let offsetMs = 0;
  const read = (): void => {
    if (existsSync(file)) offsetMs = Number(readFileSync(file, 'utf8'));
  };
  read();
  watch(dirname(file), { persistent: false }, (_event, name) => {
    if (name === basename(file)) read();
  });
  const now = Date.now;
  const shifted = () => now() + offsetMs;
  globalThis.Date = new Proxy(Date, {
    apply: (target) => new target(shifted()).toString(),
    construct: (target, args, newTarget) =>
      Reflect.construct(target, args.length === 0 ? [shifted()] : args, newTarget) as object,
    get: (target, key, receiver) => (key === 'now' ? shifted : Reflect.get(target, key, receiver)),
  });
}
