import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Front, GRPC_PATHS } from './front.ts';
import { ATTACKER, unharmed } from './unharmed.ts';
import { callHead, FLAG, type FloodPiece, FRAME, field, flood, frame, NEWEST, paced, repeated } from './wire.ts';

const stack = sharedStack();
let key = '';

beforeAll(() => {
  key = stack.key(ATTACKER);
});
const head = () => callHead(GRPC_PATHS.traces, key);
const WHOLE = FLAG.endHeaders;

function* rapidReset(streams: number): Generator<Buffer> {
  const code = Buffer.from([0, 0, 0, 8]);
  const opened = head();
  for (let stream = 1; stream < streams * 2; stream += 200) {
    const pieces: Buffer[] = [];
    for (let id = stream; id < stream + 200; id += 2)
      pieces.push(frame(FRAME.headers, WHOLE, id, opened), frame(FRAME.rstStream, 0, id, code));
    yield Buffer.concat(pieces);
  }
}

function* continuations(count: number, bytes: number): Generator<Buffer> {
  yield frame(FRAME.headers, FLAG.none, 1, head());
  // Empty ones hold no header; the others hold many, which are never ended.
  const filler =
    bytes === 0 ? Buffer.alloc(0) : Buffer.concat(Array.from({ length: 160 }, () => field('x-a', 'y'.repeat(90))));
  for (let i = 0; i < count; i++) yield frame(FRAME.continuation, FLAG.none, 1, filler);
}

function* hpackBomb(streams: number): Generator<Buffer> {
  const opened = head();
  const planted = Buffer.concat([opened, field('x-bomb', 'b'.repeat(3_900), true)]);
  yield frame(FRAME.headers, WHOLE | FLAG.endStream, 1, planted);
  for (let stream = 3; stream < streams * 2; stream += 2) {
    yield frame(FRAME.headers, WHOLE | FLAG.endStream, stream, Buffer.concat([opened, Buffer.alloc(15_000, NEWEST)]));
  }
}

const PING = frame(FRAME.ping, 0, 0, Buffer.alloc(8));
const setting = Buffer.from('000400010000', 'hex');
const FLOODS: Readonly<Record<string, { readonly pieces: () => Iterable<FloodPiece>; readonly reads?: boolean }>> = {
  'rapid reset': { pieces: () => rapidReset(50_000) },
  'a CONTINUATION flood': { pieces: () => continuations(20_000, 16_000) },
  'a flood of empty CONTINUATION frames': { pieces: () => continuations(50_000, 0) },
  'a PING flood': { pieces: () => repeated(PING, 1_000, 500) },
  'a PING flood whose answers are not read': {
    pieces: () => repeated(PING, 1_000, 500),
    reads: false,
  },
  'a SETTINGS flood': { pieces: () => repeated(frame(FRAME.settings, 0, 0, setting), 1_000, 500) },
  'a SETTINGS flood whose answers are not read': {
    pieces: () => repeated(frame(FRAME.settings, 0, 0, setting), 1_000, 500),
    reads: false,
  },
};

describe.each(['edge', 'Envoy'] as const)('on %s', (name) => {
  const front = new Front(stack, name);
  afterAll(() => front.close());

  for (const [what, { pieces, reads }] of Object.entries(FLOODS)) {
    test(`bad input 19 | gRPC | ${name} | ${what} is closed, CPU and memory bounded`, async () => {
      const ended = await unharmed(front, { peakMiB: 64, cpuS: 5 }, async () =>
        flood(await front.connect('grpc'), pieces(), reads),
      );
      expect(ended.closed).toBe(true);
    });
  }

  test(`bad input 19 | gRPC | ${name} | each stream of an HPACK bomb is reset, or its connection closed, nothing expanded`, async () => {
    const ended = await unharmed(front, { peakMiB: 64, cpuS: 5 }, async () =>
      flood(await front.connect('grpc'), hpackBomb(500), true, 2_000),
    );
    // The first stream only plants what the others repeat: 15,000 times 3.9 KB each.
    expect(ended.closed || ended.resets === ended.written - 1).toBe(true);
  });

  // Nothing piles up, so nothing is closed: it is the cost of each that is bounded, here 2 us beside what the neighbour costs.
  test(`bad input 19 | gRPC | ${name} | a million PING frames at the pace of their answers cost no memory and little CPU`, async () => {
    const ended = await unharmed(front, { peakMiB: 64, cpuS: 4 }, async () =>
      flood(await front.connect('grpc'), paced(PING, 500, 2_000), true, 0),
    );
    expect(ended.closed || ended.written === 2_000).toBe(true);
  });

  test(`bad input 19 | gRPC | ${name} | rapid reset on 20 connections is closed, CPU and memory bounded, and ends nobody else's calls`, async () => {
    // 20 connections with 100 calls each, of 45 KB.
    const ended = await unharmed(front, { peakMiB: 96 + 64, cpuS: 10 }, () =>
      Promise.all(Array.from({ length: 20 }, async () => flood(await front.connect('grpc'), rapidReset(5_000)))),
    );
    expect(new Set(ended.map(({ closed }) => closed))).toEqual(new Set([true]));
  });
});
