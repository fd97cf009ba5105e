import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createProgram } from './program.ts';

const ID = '20261121_101500_3fa9';
const asked: URL[] = [];
let server: Server;

/** A ClickHouse that answers no statement. */
beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(new URL(request.url ?? '/', 'http://clickhouse'));
    request.resume();
    response.writeHead(500).end('Code: 241. DB::Exception: Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

test.each([[['compare', ID]], [['promote', ID, '--yes']], [['drop', ID, '--yes']]])(
  'the statements of shadow %j may take long: ClickHouse is to say that it is at them',
  async (args) => {
    asked.length = 0;
    const nothing = () => undefined;
    const env = { WEIR_CLICKHOUSE_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
    const program = createProgram({
      env,
      readFile: (path) => readFileSync(path, 'utf8'),
      writeFile: nothing,
      out: nothing,
      err: nothing,
      terminal: false,
    });
    expect(await program.run(['shadow', ...args])).toBe(3);
    expect(asked.map(({ searchParams }) => searchParams.get('http_headers_progress_interval_ms'))).toEqual(['20000']);
  },
);
