import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSender } from '@weir/bench-load';
import { runClosedLoop } from './closed-loop.ts';
import { createPool } from './export-pool.ts';
import type { GeneratorLine, GeneratorLoad } from './generator.ts';

const CONNECTIONS_GRPC = 4;

/**
 * The generator's process: takes its load as a JSON argument, encodes all of it, says `ready`, starts at a line on its standard
 * input, and tells the outcome. It is not measured, and its cost is the same for all systems.
 */
async function main(): Promise<void> {
  const load = JSON.parse(process.argv[2]!) as GeneratorLoad;
  const { signal, transport, inFlight, retries, endsEarly, target } = load;
  const tell = (line: GeneratorLine) => process.stdout.write(`${JSON.stringify(line)}\n`);
  const pool = createPool(signal, load.run, load.items, load.itemsPerExport);
  const ca = target.caFile === undefined ? undefined : readFileSync(target.caFile);
  const sender = createSender({ http: target.http, grpc: target.grpc, ca }, transport, {
    compression: load.gzip ? 'gzip' : 'none',
    connections: transport === 'grpc' ? Math.min(CONNECTIONS_GRPC, inFlight) : inFlight,
  });
  const lines = createInterface({ input: process.stdin });
  tell({ kind: 'ready' });
  await once(lines, 'line');
  const onHalf = () => tell({ kind: 'half' });
  const options = { signal, key: target.key, inFlight, retries, endsEarly, onHalf, sleep };
  tell({ kind: 'done', result: await runClosedLoop(pool, sender, options) });
  lines.close();
  await sender.close();
}

await main();
