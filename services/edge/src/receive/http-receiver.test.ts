import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { ensureCertificates } from '@weir/local';
import { Budget, type Consumer, freeBytes, refuse } from '@weir/pipeline';
import { effectiveTenant, type LimitOverrides } from '@weir/tenancy';
import { FakeClock } from '@weir/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EdgeQueue } from '../edge-queue.ts';
import type { Answer, RawExport } from '../exports.ts';
import { LIMITS } from '../limits.ts';
import { HttpReceiver } from './http-receiver.ts';
import { TlsFiles } from './tls-files.ts';

const scratch = mkdtempSync(join(tmpdir(), 'weir-http-'));
let files: Awaited<ReturnType<typeof ensureCertificates>>;

beforeAll(async () => {
  files = await ensureCertificates(scratch, new Date());
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

async function setUp(
  next: Consumer<RawExport, Answer>,
  {
    limits = {},
    clientCaFile,
    ...bounds
  }: { limits?: LimitOverrides; clientCaFile?: string; requestsMax?: number } = {},
) {
  const clock = new FakeClock();
  const budget = new Budget({ bytesMax: 1_000_000, itemsMax: 1_000 });
  const tls = new TlsFiles({ certFile: files.serverCert, keyFile: files.serverKey, clientCaFile }, clock, () => {
    throw new Error('the files do not change');
  });
  const told: string[] = [];
  const port = await freePort();
  const receiver = new HttpReceiver(
    {
      listen: { host: '127.0.0.1', port },
      tls,
      clientRequired: false,
      bodyBytesMax: 500_000,
      queue: new EdgeQueue(budget),
      clock,
      // A key is its tenant's name.
      authenticate: ({ apiKey: [name = 'acme'] }) => ({
        kind: 'tenant',
        tenant: effectiveTenant(name, { keys: [], limits }, undefined),
      }),
      events: {
        received: () => undefined,
        answered: (_signal, _transport, _tenant, answer) =>
          void told.push(answer.kind === 'refused' ? answer.reason : answer.kind),
        failed: (error) => void told.push(`failed: ${(error as Error).message}`),
      },
    },
    next,
    { headerBytesMax: 16_384, ...bounds },
  );
  await receiver.start();
  return { clock, budget, receiver, told, port };
}

const refusing: Consumer<RawExport, Answer> = { consume: async () => refuse('edge_full', 'the edge is full') };

/** Sends a head that announces `length` bytes and then only `body`; resolves with all that comes back. */
function sendRaw(port: number, length: number, body: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: readFileSync(files.ca) }, () => {
      socket.write(`POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n`);
      socket.write(`content-length: ${length}\r\n\r\n${body}`);
    });
    let answer = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      answer += text;
      if (answer.includes('}')) socket.end();
    });
    socket.on('close', () => resolve(answer));
  });
}

test('a body that does not come is answered 408 with a Status after its time, counted, and gives its room back', async () => {
  const { clock, budget, receiver, told, port } = await setUp(refusing);
  const answer = sendRaw(port, 1_000, '{');
  while (budget.bytes === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await clock.advance(LIMITS.bodyTimeoutMs);
  expect(await answer).toMatch(
    /^HTTP\/1.1 408 .*connection: close.*"message":"body_timeout: the body did not come in time"/is,
  );
  expect([told, budget.bytes]).toEqual([['body_timeout'], 0]);
  await receiver.stop(AbortSignal.abort());
});

test('a client that goes away in the middle of its body leaves no room taken', async () => {
  const { budget, receiver, told, port } = await setUp(refusing);
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: readFileSync(files.ca) }, () => {
    socket.write('POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{');
  });
  while (budget.bytes === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  socket.destroy();
  await expect.poll(() => budget.bytes).toBe(0);
  expect(told).toEqual([]);
  await receiver.stop(AbortSignal.abort());
});

test('a body owns its memory where it came in pieces, and gives its room back whatever became of it', async () => {
  const came: [length: number, ownsBody: boolean, held: number][] = [];
  const next: Consumer<RawExport, Answer> = {
    consume: async ({ body, ownsBody }) => {
      came.push([body.length, ownsBody, budget.bytes]);
      if (ownsBody) freeBytes(body);
      return refuse('edge_full', 'the edge is full');
    },
  };
  const { budget, receiver, port } = await setUp(next);
  const answers: string[] = [];
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: readFileSync(files.ca) });
  socket.setEncoding('latin1').on('data', (text: string) => void answers.push(text));
  const head = (bytes: number) =>
    `POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${bytes}\r\n\r\n`;
  socket.write(`${head(300_000)}${' '.repeat(300_000)}`);
  await expect.poll(() => answers.join('').match(/HTTP\/1.1 503/g)?.length).toBe(1);
  // Both small ones are in one piece of the connection.
  socket.write(`${head(10)}${' '.repeat(10)}${head(20)}${' '.repeat(20)}`);
  await expect.poll(() => answers.join('').match(/HTTP\/1.1 503/g)?.length).toBe(3);
  expect(came[0]).toEqual([300_000, true, 300_000]);
  expect(came.slice(1).map(([length, ownsBody]) => [length, ownsBody])).toEqual([
    [10, false],
    [20, false],
  ]);
  expect(budget.bytes).toBe(0);
  socket.destroy();
  await receiver.stop(AbortSignal.abort());
});

/** Opens a body that comes in chunks of one byte, whose end is not sent. */
function sendCrumbs(port: number, count: number) {
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: readFileSync(files.ca) }, () => {
    const head = 'POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n';
    socket.write(`${head}transfer-encoding: chunked\r\n\r\n${'1\r\n \r\n'.repeat(count)}`);
  });
  const sent = { socket, answer: '' };
  socket.setEncoding('latin1').on('error', () => undefined);
  socket.on('data', (text: string) => {
    sent.answer += text;
  });
  return sent;
}

test('a body in crumbs takes room for what each costs until it is whole, and is within its tenant’s bound by its bytes', async () => {
  const held: number[] = [];
  const next: Consumer<RawExport, Answer> = {
    consume: async ({ body }) => {
      held.push(body.length, budget.bytes);
      return refuse('edge_full', 'the edge is full');
    },
  };
  const { budget, receiver, port } = await setUp(next, { limits: { bodyBytes: 100 } });
  const sent = sendCrumbs(port, 100);
  await expect.poll(() => budget.bytes).toBe(100 * (1 + LIMITS.pieceOverheadBytes));
  sent.socket.write('0\r\n\r\n');
  await expect.poll(() => sent.answer).toMatch(/^HTTP\/1.1 /);
  expect([held, budget.bytes]).toEqual([[100, 100], 0]);
  sent.socket.destroy();
  await receiver.stop(AbortSignal.abort());
});

test('crumbs that there is no room for are refused, and leave nothing taken', async () => {
  const { budget, receiver, told, port } = await setUp(refusing);
  const sent = sendCrumbs(port, budget.limits.bytesMax / LIMITS.pieceOverheadBytes);
  await expect.poll(() => sent.answer).toContain('edge_full: the edge is full');
  expect([told, budget.bytes]).toEqual([['edge_full'], 0]);
  sent.socket.destroy();
  await receiver.stop(AbortSignal.abort());
});

test('a fault of our own is told, counted, and answered as one that may be tried again', async () => {
  const { budget, receiver, told, port } = await setUp({
    consume: async () => {
      throw new Error('broken');
    },
  });
  const answer = await sendRaw(port, 2, '{}');
  expect(answer).toMatch(/^HTTP\/1.1 503 .*retry-after: 1/is);
  expect([told, budget.bytes]).toEqual([['failed: broken', 'internal'], 0]);
  await receiver.stop(AbortSignal.abort());
});

test.each([
  ['bodyBytes', { bodyBytes: 100 }],
  ['requestBytes, as it is not compressed', { requestBytes: 100 }],
])('a body that announces more than its tenant’s %s is answered 413 before it is read', async (_name, limits) => {
  const { budget, receiver, told, port } = await setUp(refusing, { limits });
  expect(await sendRaw(port, 101, '')).toMatch(/^HTTP\/1.1 413 .*"message":"[^"]*the body is larger than 100 bytes"/is);
  expect(await sendRaw(port, 100, '{}'.padEnd(100))).toMatch(/^HTTP\/1.1 503 /);
  expect([told, budget.bytes]).toEqual([['too_large', 'edge_full'], 0]);
  await receiver.stop(AbortSignal.abort());
});

test('a client that is refused while it sends sees the answer, and is cut off where it goes on for too long', async () => {
  const { clock, receiver, told, port } = await setUp(refusing);
  const options = { port, host: '127.0.0.1', servername: 'localhost', ca: readFileSync(files.ca) };
  const socket = connect(options, () =>
    socket.write('POST /v1/nothing HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999\r\n\r\n'),
  );
  let answer = '';
  let closed = false;
  socket.setEncoding('latin1').on('data', (text: string) => {
    answer += text;
  });
  socket
    .on('error', () => undefined)
    .on('close', () => {
      closed = true;
    });
  await expect.poll(() => answer).toMatch(/^HTTP\/1.1 404 .*connection: close.*there are \/v1\/traces/is);
  socket.write('x'.repeat(1_000_000));
  await clock.advance(LIMITS.lingerMs - 1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(closed).toBe(false);
  await clock.advance(1);
  await expect.poll(() => closed).toBe(true);
  expect(told).toEqual([]);
  await receiver.stop(AbortSignal.abort());
});

test('a client that is refused and then sends what is not HTTP has one answer', async () => {
  const { receiver, port } = await setUp(refusing);
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: readFileSync(files.ca) }, () =>
    socket.write('POST /v1/nothing HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n'),
  );
  let answer = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    answer += text;
  });
  await new Promise<void>((resolve) => socket.on('error', () => undefined).once('close', () => resolve()));
  expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 404']);
  await receiver.stop(AbortSignal.abort());
});

test('what follows a request and is not HTTP is not answered in its place', async () => {
  const held = Promise.withResolvers<Answer>();
  const { receiver, port } = await setUp({ consume: () => held.promise });
  const head = 'POST /v1/traces HTTP/1.1\r\nhost: a\r\nx-api-key: good\r\ncontent-type: application/json\r\n';
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: readFileSync(files.ca) }, () =>
    socket.write(`${head}content-length: 2\r\n\r\n{}this is not HTTP\r\n\r\n`),
  );
  let answer = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    answer += text;
  });
  await new Promise<void>((resolve) => socket.on('error', () => undefined).once('close', () => resolve()));
  held.resolve({ kind: 'accepted', acceptedItems: 0, rejectedItems: 0 });
  expect(answer).toBe('');
  await receiver.stop(AbortSignal.abort());
});

test('a client that asked several at once and went away keeps no stop waiting', async () => {
  const { receiver, port } = await setUp(refusing);
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: readFileSync(files.ca) }, () => {
    const head = 'POST /v1/nothing HTTP/1.1\r\nhost: a\r\n';
    socket.write(`${head}connection: close\r\ncontent-length: 0\r\n\r\n${head}content-length: 0\r\n\r\n`);
  });
  await new Promise<void>((resolve) =>
    socket
      .on('error', () => undefined)
      .resume()
      .once('close', () => resolve()),
  );
  await receiver.stop(new AbortController().signal);
});

test('a tenant whose requests do not end leaves some to the others, and has them back when they are over', async () => {
  const { budget, receiver, told, port } = await setUp(refusing, { requestsMax: 6 });
  const options = { port, host: '127.0.0.1', servername: 'localhost', ca: readFileSync(files.ca) };
  const open = (tenant: string) => {
    const head = `POST /v1/traces HTTP/1.1\r\nhost: a\r\nx-api-key: ${tenant}\r\ncontent-type: application/json\r\n`;
    const sent = { socket: connect(options, () => sent.socket.write(`${head}content-length: 2\r\n\r\n{`)), answer: '' };
    sent.socket.setEncoding('latin1').on('data', (text: string) => {
      sent.answer += text;
    });
    return sent;
  };
  const slow: ReturnType<typeof open>[] = [];
  const holding = () => expect.poll(() => budget.bytes).toBe(slow.length * (1 + LIMITS.pieceOverheadBytes));
  while (slow.length < 4) {
    slow.push(open('slow'));
    await holding();
  }
  const over = open('slow');
  await expect
    .poll(() => over.answer)
    .toMatch(/^HTTP\/1.1 503 .*edge_full: the edge's queue fills up, and the tenant/is);
  slow.push(open('other'));
  await holding();
  const [first] = slow.splice(0, 1);
  first!.socket.write('}');
  await expect.poll(() => first!.answer).toContain('edge_full: the edge is full');
  await holding();
  slow.push(open('slow'));
  await holding();
  expect(told).toEqual(['edge_full', 'edge_full']);
  for (const { socket } of [...slow, over, first!]) socket.destroy();
  await expect.poll(() => budget.bytes).toBe(0);
  await receiver.stop(AbortSignal.abort());
});

test('requests whose clients went away count until their exports are answered', async () => {
  const answered = Promise.withResolvers<Answer>();
  let came = 0;
  const next: Consumer<RawExport, Answer> = {
    consume: () => {
      came++;
      return answered.promise;
    },
  };
  const { budget, receiver, told, port } = await setUp(next, { requestsMax: 2 });
  const options = { port, host: '127.0.0.1', servername: 'localhost', ca: readFileSync(files.ca) };
  const request =
    'POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}';
  // The second stands behind the first on one connection: its response is not told when that is gone.
  const socket = connect(options, () => socket.write(request));
  socket.on('error', () => undefined);
  await expect.poll(() => came).toBe(1);
  socket.write(request);
  await expect.poll(() => came).toBe(2);
  socket.destroy();
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(await sendRaw(port, 2, '{}')).toMatch(/^HTTP\/1.1 503 .*edge_full: the edge/is);
  expect([told, came]).toEqual([['edge_full'], 2]);
  answered.resolve({ kind: 'accepted', acceptedItems: 0, rejectedItems: 0 });
  await expect.poll(() => budget.bytes).toBe(0);
  for (let i = 0; i < 3; i++) expect(await sendRaw(port, 2, '{}')).toMatch(/^HTTP\/1.1 200 /);
  await receiver.stop(AbortSignal.abort());
});

test('a request without a host is answered 400 with a Status', async () => {
  const { receiver, port } = await setUp(refusing);
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: readFileSync(files.ca) }, () =>
    socket.write('POST /v1/traces HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: 0\r\n\r\n'),
  );
  const answer = await new Promise<string>((resolve) => socket.setEncoding('utf8').once('data', resolve));
  expect(answer).toMatch(/^HTTP\/1.1 400 .*content-type: application\/json/is);
  socket.destroy();
  await receiver.stop(AbortSignal.abort());
});
test('a connection whose short body was not wanted is kept, and serves the next request', async () => {
  const { receiver, told, port } = await setUp(refusing);
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: readFileSync(files.ca) }, () => {
    const request = 'POST /v1/nothing HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nabcde';
    socket.write(request.repeat(3));
  });
  let answer = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    answer += text;
  });
  await expect.poll(() => answer.split('HTTP/1.1 404').length).toBe(4);
  expect([answer.includes('connection: close'), socket.destroyed, told]).toEqual([false, false, []]);
  socket.destroy();
  await receiver.stop(AbortSignal.abort());
});

test('a client that goes on sending what was refused has its answer, a moment to read it, and is closed', async () => {
  const { clock, budget, receiver, port } = await setUp(refusing);
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: readFileSync(files.ca) }, () => {
    socket.write(
      'POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n',
    );
    const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`;
    const pour = () => socket.writable && socket.write(chunk, () => setTimeout(pour, 1));
    pour();
  });
  let answer = '';
  const closed = new Promise<void>((resolve) => socket.on('error', () => undefined).on('close', () => resolve()));
  socket.setEncoding('latin1').on('data', (text: string) => {
    answer += text;
  });
  await expect.poll(() => answer).toMatch(/^HTTP\/1.1 413 .*connection: close.*is larger than 500000 bytes/is);
  expect([socket.destroyed, budget.bytes]).toEqual([false, 0]);
  await clock.advance(LIMITS.lingerMs);
  await closed;
  await receiver.stop(AbortSignal.abort());
});

test('a client certificate of the right authority that has expired is closed', async () => {
  // The authority lasts ten years, what it signed two.
  const old = await ensureCertificates(join(scratch, 'old'), new Date(Date.now() - 3 * 365 * 86_400_000));
  const { receiver, port } = await setUp(refusing, { clientCaFile: old.ca });
  const ask = (certificate: object) =>
    new Promise<string>((resolve) => {
      const options = { port, host: '127.0.0.1', servername: 'localhost', ca: readFileSync(files.ca), ...certificate };
      const socket = connect(options, () => {
        socket.write('POST /v1/nothing HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
      });
      let answer = '';
      socket.setEncoding('latin1').on('data', (text: string) => {
        answer += text;
      });
      socket.on('error', () => undefined).on('close', () => resolve(answer));
    });
  expect(await ask({ cert: readFileSync(old.clientCert), key: readFileSync(old.clientKey) })).toBe('');
  expect(await ask({})).toMatch(/^HTTP\/1.1 404/);
  await receiver.stop(AbortSignal.abort());
});
