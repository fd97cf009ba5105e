import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Front } from './front.ts';
import { ATTACKER, LITTLE, unharmed } from './unharmed.ts';

const stack = sharedStack();
let key = '';

beforeAll(() => {
  key = stack.key(ATTACKER);
});

/** A request that is hidden in the body of another: were it served, there would be a 404 for its path. */
const HIDDEN = 'POST /smuggled HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n';
const CHUNKED_END = '0\r\n\r\n';

/** Framings of which two readers may think differently. */
const FRAMINGS: Readonly<Record<string, string>> = {
  'CL and TE': `content-length: ${CHUNKED_END.length + HIDDEN.length}\r\ntransfer-encoding: chunked\r\n`,
  'TE and CL': `transfer-encoding: chunked\r\ncontent-length: ${CHUNKED_END.length}\r\n`,
  'two lengths': `content-length: 5\r\ncontent-length: ${CHUNKED_END.length + HIDDEN.length}\r\n`,
  'a list of lengths': 'content-length: 5, 5\r\n',
  'a signed length': 'content-length: +5\r\n',
  'a length in hex': 'content-length: 0x5\r\n',
  'an unknown coding': 'transfer-encoding: xchunked\r\n',
  'chunked twice': 'transfer-encoding: chunked, chunked\r\n',
  'chunked, then identity': 'transfer-encoding: chunked, identity\r\n',
  'a space before the colon': 'transfer-encoding : chunked\r\ncontent-length: 5\r\n',
  'a folded line': 'transfer-encoding:\r\n chunked\r\ncontent-length: 5\r\n',
  'a NUL in the name': 'transfer-encoding\0: chunked\r\ncontent-length: 5\r\n',
  'a vertical tab': 'transfer-encoding: \x0bchunked\r\ncontent-length: 5\r\n',
  'bare line feeds': 'x: y\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n',
};

/** Chunks that end elsewhere for a lenient reader. */
const CHUNKS: Readonly<Record<string, string>> = {
  'a chunk size with a sign': `+0\r\n\r\n${HIDDEN}`,
  'a chunk size in hex with its prefix': `0x0\r\n\r\n${HIDDEN}`,
  'a chunk size that wraps around': `10000000000000000\r\n${HIDDEN}`,
  'a chunk size that ends in a line feed': `0\n\n${HIDDEN}`,
};
/** Envoy passes over what stands between a chunk and its end, and frames the chunk anew for the edge: nothing is hidden. */
const LONG_CHUNK = { 'a chunk that is longer than its size': `1\r\nxx\r\n${CHUNKED_END}${HIDDEN}` };

describe.each(['edge', 'Envoy'] as const)('on %s', (name) => {
  const front = new Front(stack, name);
  const chunks: Readonly<Record<string, string>> = name === 'edge' ? { ...CHUNKS, ...LONG_CHUNK } : CHUNKS;
  afterAll(() => front.close());

  for (const [transport, type] of [
    ['HTTP/protobuf', 'application/x-protobuf'],
    ['HTTP/JSON', 'application/json'],
  ] as const)
    describe(transport, () => {
      const head = () =>
        `POST /v1/traces HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${key}\r\ncontent-type: ${type}\r\n`;

      let said: Record<string, string> = {};

      // All at once: each is a connection of its own, and some take two seconds to be closed.
      beforeAll(async () => {
        const framed = Object.entries(FRAMINGS).map(([what, framing]) => [
          what,
          `${framing}\r\n${CHUNKED_END}${HIDDEN}`,
        ]);
        const chunked = Object.entries(chunks).map(([what, body]) => [
          what,
          `transfer-encoding: chunked\r\n\r\n${body}`,
        ]);
        said = await unharmed(front, LITTLE, async () => {
          const all = [...framed, ...chunked].map(async ([what, rest]) => [what, await front.raw(`${head()}${rest}`)]);
          return Object.fromEntries(await Promise.all(all));
        });
      });

      test.each([...Object.keys(FRAMINGS), ...Object.keys(chunks)])(
        `bad input 19 | ${transport} | ${name} | %s is refused and its connection closed, what is hidden in it never read as a request`,
        (what) => {
          const statuses = [...said[what]!.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
          // One answer, or none; and 501 is how Envoy says that it does not know a coding.
          expect(statuses.length).toBeLessThanOrEqual(1);
          for (const status of statuses) expect([400, 501]).toContain(status);
        },
      );
    });
});
