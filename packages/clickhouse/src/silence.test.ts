import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { type ClickHouse, createClickHouse } from './client.ts';

const PROGRESS = `X-ClickHouse-Progress: ${JSON.stringify({ read_rows: '1'.repeat(20), read_bytes: '2'.repeat(130) })}\r\n`;
const NEVER = new AbortController().signal;
let server: Server;
let clickhouse: ClickHouse;
const asked: string[] = [];
const sockets = new Set<Socket>();

/** A ClickHouse that answers each request so, byte by byte. */
async function serve(answer: (socket: Socket) => Promise<void>, silenceMs?: number): Promise<void> {
  asked.length = 0;
  server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    socket.on('data', (data) => {
      const [line] = data.toString('latin1').split('\r\n');
      if (!line!.startsWith('POST')) return;
      asked.push(line!);
      void answer(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const access = { url, database: 'weir', username: 'default', password: '' };
  clickhouse = createClickHouse(silenceMs === undefined ? access : { ...access, silenceMs });
}

afterEach(async () => {
  await clickhouse.close();
  for (const socket of sockets) socket.destroy();
  server.close();
});

/** The status stands there before the end; then progress, so often. */
async function work(socket: Socket, times: number, everyMs: number): Promise<void> {
  socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n');
  for (let at = 0; at < times; at++) {
    if (everyMs > 0) await sleep(everyMs);
    socket.write(PROGRESS);
  }
}

test('a statement may take longer than the silence that is allowed, while ClickHouse says how far it is', async () => {
  await serve(async (socket) => {
    await work(socket, 8, 100);
    socket.write('\r\n0\r\n\r\n');
  }, 400);
  await clickhouse.command('INSERT INTO a SELECT * FROM b', NEVER);
  expect(asked[0]).toMatch(/send_progress_in_http_headers=1/);
  expect(asked[0]).toMatch(/http_headers_progress_interval_ms=20000/);
  expect(asked[0]).toMatch(/wait_end_of_query=1/);
});

test('hours of progress fit into the headers of an answer', async () => {
  await serve(async (socket) => {
    await work(socket, 2_000, 0);
    socket.write('\r\n0\r\n\r\n');
  }, 5_000);
  await clickhouse.command('INSERT INTO a SELECT * FROM b', NEVER);
});

test('a statement that fails after it has told progress has failed, though its status was 200', async () => {
  await serve(async (socket) => {
    await work(socket, 2, 1);
    const text = 'Code: 241. DB::Exception: Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)\n';
    socket.write(`X-ClickHouse-Exception-Code: 241\r\n\r\n${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`);
  }, 5_000);
  await expect(clickhouse.command('INSERT INTO a SELECT * FROM b', NEVER)).rejects.toMatchObject({
    name: 'DependencyError',
    message: expect.stringContaining('Memory limit exceeded'),
  });
});

test('silence ends a statement', async () => {
  await serve(async (socket) => work(socket, 1, 1), 300);
  await expect(clickhouse.command('SELECT 1', NEVER)).rejects.toMatchObject({ name: 'DependencyError' });
});

test('who does not say that statements take long asks for no progress', async () => {
  await serve(async (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  });
  await clickhouse.command('SELECT 1', NEVER);
  expect(asked[0]).not.toMatch(/progress|wait_end_of_query/);
});
