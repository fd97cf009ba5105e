import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '@weir/pipeline';
import { DEFAULT_DATA_DIR } from './options.ts';
import { endLeftovers, isAlive, supervisorOf } from './ownership.ts';
import { stackPaths } from './paths.ts';

const STOP_MS = 120_000;
const POLL_MS = 100;

async function main(): Promise<number> {
  let dataDir: string;
  try {
    const { values } = parseArgs({ options: { 'data-dir': { type: 'string' } } });
    dataDir = resolve(values['data-dir'] ?? DEFAULT_DATA_DIR);
  } catch {
    process.stderr.write('usage: npm stop [-- --data-dir DIR]\n');
    return 2;
  }
  const paths = stackPaths(dataDir);
  const pid = supervisorOf(paths);
  if (pid === undefined) {
    const ended = endLeftovers(paths);
    process.stdout.write(
      ended.length > 0 ? `ended what was left: ${ended.join(', ')}\n` : `nothing runs in ${dataDir}\n`,
    );
    return 0;
  }
  process.kill(pid, 'SIGTERM');
  const until = systemClock.nowMs() + STOP_MS;
  while (isAlive(pid)) {
    if (systemClock.nowMs() > until) {
      process.stderr.write(`the stack in ${dataDir} (pid ${pid}) does not stop; see ${paths.log}\n`);
      return 1;
    }
    await systemClock.sleep(POLL_MS);
  }
  process.stdout.write(`stopped the stack in ${dataDir}\n`);
  return 0;
}

process.exit(await main());
