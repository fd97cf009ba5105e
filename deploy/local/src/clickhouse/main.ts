import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { embeddedRefusal } from '../embedded.ts';
import { ROOT } from '../paths.ts';
import { Engine } from './engine.ts';
import { Inserts } from './inserts.ts';
import { createClickHouseServer } from './server.ts';

const CONFIG_FILE = join(ROOT, 'deploy/clickhouse/keep-free-space.xml');
const SESSIONS = 6;
const WAITING_MAX = 200;
const STOP_MS = 20_000;

/** Usage: main.ts DATA_DIR TEMPORARY_DIR PORT. Serves until SIGTERM, then finishes what runs. */
function main(): void {
  const [data = '', temporary = '', port = ''] = process.argv.slice(2);
  const refusal = embeddedRefusal(process.env);
  if (refusal !== undefined) {
    process.stderr.write(`weir: ${refusal}\n`);
    process.exit(2);
  }
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(temporary, { recursive: true, mode: 0o700 });
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const engine = new Engine(data, { sessions: SESSIONS, waitingMax: WAITING_MAX, configFile: CONFIG_FILE });
  const server = createClickHouseServer(engine, new Inserts(engine, temporary));
  server.listen(Number(port), '127.0.0.1', () => process.stdout.write(`listening on 127.0.0.1:${port}\n`));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      server.close(() => {
        engine.close();
        process.exit(0);
      });
      server.closeIdleConnections();
      setTimeout(() => process.exit(1), STOP_MS).unref();
    });
  }
}

main();
