import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKey } from '@weir/tenancy';
import { sharedStack } from '@weir/testkit/vitest';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Front, grpcFrame, type Reply, statusOn, TRANSPORTS } from './front.ts';
import { ATTACKER, LITTLE, NEIGHBOUR, unharmed } from './unharmed.ts';

const stack = sharedStack();
let key = '';

beforeAll(() => {
  key = stack.key(ATTACKER);
});
let revoked = '';

beforeAll(async () => {
  const made = JSON.parse(await stack.ingestctl('--json', 'keys', 'create')) as { key: string; entry: object };
  revoked = made.key;
  const file = join(stack.dataDir, 'revoked-tenants.yaml');
  const keys = [{ ...made.entry, revoked: true }];
  writeFileSync(file, JSON.stringify({ version: 1, tenants: { 'revoked-tenant': { keys } } }));
  await stack.ingestctl('tenants', 'apply', '-f', file);
});

describe.each(['edge', 'Envoy'] as const)('on %s', (name) => {
  const front = new Front(stack, name);
  afterAll(() => front.close());

  describe.each(TRANSPORTS)('%s', (transport) => {
    const body = transport === 'HTTP/JSON' ? '{}' : Buffer.alloc(0);
    const unauthenticated = statusOn(transport, { http: 401, grpc: 16 });
    const send = (headers: Record<string, string | string[]>): Promise<Reply> =>
      front.send({ transport, body, headers });
    const of = (row: number, behaviour: string) => `bad input ${row} | ${transport} | ${name} | ${behaviour}`;

    test(of(15, 'a missing, malformed or unknown key is unauthenticated, the empty export too'), async () => {
      const wrong = [
        {},
        { authorization: '' },
        { authorization: 'Bearer' },
        { authorization: `Basic ${Buffer.from(key).toString('base64')}` },
        { authorization: key },
        { authorization: `Bearer ${key}x` },
        { authorization: `Bearer ${key} ${key}` },
        { authorization: `Bearer ${key},Bearer ${key}` },
        { authorization: `Bearer ${'k'.repeat(8_000)}` },
        { authorization: `Bearer ${createKey().key}` },
        { 'x-api-key': key.toUpperCase() },
        { cookie: `authorization=Bearer ${key}` },
      ];
      const replies = await unharmed(front, LITTLE, () => Promise.all(wrong.map((headers) => send(headers as never))));
      expect(replies.map(({ status }) => status)).toEqual(wrong.map(() => unauthenticated));
    });

    test(of(15, 'a revoked key, an unknown one and one with a wrong secret are told the same'), async () => {
      const wrong = `${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`;
      const replies = await unharmed(front, LITTLE, () =>
        Promise.all([revoked, createKey().key, wrong].map((each) => send({ authorization: `Bearer ${each}` }))),
      );
      expect(replies.map(({ status }) => status)).toEqual([unauthenticated, unauthenticated, unauthenticated]);
      const said = replies.map((reply) =>
        transport === 'gRPC' ? reply.headers['grpc-message'] : reply.body.toString(),
      );
      expect(new Set(said).size).toBe(1);
      expect(said[0]).toContain('the key is not known'.replaceAll(' ', transport === 'gRPC' ? '%20' : ' '));
    });

    test(of(15, 'two authorization headers are unauthenticated, whichever is good'), async () => {
      const good = `Bearer ${key}`;
      const others = [good, `Bearer ${createKey().key}`, `Bearer ${stack.key(NEIGHBOUR)}`, 'Basic eDp5'];
      const statuses = await unharmed(front, LITTLE, () =>
        Promise.all(
          others
            .flatMap((other) => [
              [good, other],
              [other, good],
            ])
            .map((pair) => twice(pair[0]!, pair[1]!)),
        ),
      );
      expect(new Set(statuses)).toEqual(new Set([unauthenticated]));
      const both = await send({ authorization: good, 'x-api-key': stack.key(NEIGHBOUR) });
      expect(both.status).toBe(unauthenticated);
    });

    /** Node's client for HTTP/1.1 joins two headers of a name, and the one for HTTP/2 takes no list of this one. */
    async function twice(first: string, second: string): Promise<number> {
      if (transport === 'gRPC') {
        return front.doubled('authorization', first, second, grpcFrame(Buffer.alloc(0)));
      }
      const type = transport === 'HTTP/JSON' ? 'application/json' : 'application/x-protobuf';
      const head = `POST /v1/traces HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: ${type}\r\n`;
      const keys = `authorization: ${first}\r\nauthorization: ${second}\r\n`;
      const said = await front.raw(`${head}${keys}content-length: ${body.length}\r\n\r\n${body}`);
      return Number(/^HTTP\/1\.1 (\d+)/.exec(said)?.[1]);
    }
  });

  const RANDOM_KEYS = 2_000;
  // A good export costs the edge about as much: what is bounded is that a bad key is no lever. The pool is kept alive by the
  // edge's answer, so that none of them costs a handshake.
  test(`bad input 17 | HTTP/protobuf | ${name} | 2,000 random keys cost no memory, and no more CPU than as many requests`, async () => {
    const agent = new Agent({ connect: { ca: stack.ca }, connections: 10 });
    const origin = `https://localhost:${front.port('http')}`;
    const headers = { 'content-type': 'application/x-protobuf' };
    const one = async () => {
      const authorization = `Bearer ${createKey().key}`;
      const answer = await request(`${origin}/v1/traces`, {
        method: 'POST',
        headers: { ...headers, authorization },
        body: 'x',
        dispatcher: agent,
      });
      await answer.body.dump();
      return answer.statusCode;
    };
    const statuses = await unharmed(front, { peakMiB: 64, cpuS: 3 }, async () => {
      const seen = new Set<number>();
      const many = async () => {
        for (let i = 0; i < RANDOM_KEYS / 10; i++) seen.add(await one());
      };
      await Promise.all(Array.from({ length: 10 }, many));
      return seen;
    });
    expect([...statuses]).toEqual([401]);
    await agent.close();
  });

  test(`bad input 17 | gRPC | ${name} | 2,000 random keys on one connection cost no memory, and no more CPU than as many requests`, async () => {
    const codes = await unharmed(front, { peakMiB: 64, cpuS: 3 }, async () => {
      const seen = new Set<number>();
      const many = async () => {
        for (let i = 0; i < RANDOM_KEYS / 10; i++) {
          const answer = await front.client.grpc('traces', Buffer.alloc(0), { key: createKey().key });
          seen.add(answer.ok ? 0 : answer.error.code);
        }
      };
      await Promise.all(Array.from({ length: 10 }, many));
      return seen;
    });
    expect([...codes]).toEqual([16]);
  });
});
