import { createGunzip, createInflate, createZstdDecompress, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { Inflater } from '@weir/edge';
import { systemClock } from '@weir/pipeline';
import type { Chance } from '../chance.ts';
import { seedExports } from '../corpus.ts';
import { mutateBytes } from '../mutate-bytes.ts';
import { type Case, Difference, type Target } from '../target.ts';

const ENCODINGS = ['gzip', 'deflate', 'zstd'] as const;
const COMPRESS = { gzip: gzipSync, deflate: deflateSync, zstd: zstdCompressSync };
const STREAM = { gzip: createGunzip, deflate: createInflate, zstd: createZstdDecompress };
const BYTES_MAX = 256 * 1024;
const inflater = new Inflater(systemClock, BYTES_MAX);

type Outcome = Buffer | 'malformed' | 'too_large';

/** What node's streams make of it, stopped where it grows too large. */
async function streamed(body: Buffer, encoding: (typeof ENCODINGS)[number]): Promise<Outcome> {
  const parts: Buffer[] = [];
  let size = 0;
  const stream = STREAM[encoding]();
  stream.end(body);
  try {
    for await (const part of stream as AsyncIterable<Buffer>) {
      size += part.length;
      if (size > BYTES_MAX) return 'too_large';
      parts.push(part);
    }
    return Buffer.concat(parts);
  } catch {
    return 'malformed';
  }
}

async function run({ bytes, option }: Case): Promise<string> {
  const encoding = ENCODINGS[option % ENCODINGS.length]!;
  const found = await inflater.inflate(bytes, encoding);
  const expected = await streamed(bytes, encoding);
  if (found.kind === 'inflated') {
    found.release();
    if (found.plain.length > BYTES_MAX) throw new Difference(`${found.plain.length} bytes came out`);
    if (typeof expected === 'string') throw new Difference(`${encoding} is inflated that is ${expected}`);
    if (!found.plain.equals(expected)) throw new Difference(`${encoding} is inflated to other bytes`);
    return 'inflated';
  }
  // What is too large and also broken further on may be called either.
  if (found.reason === 'too_large' && expected === 'too_large') return 'too large';
  if (found.reason === 'malformed' && (typeof expected === 'string' || bytes.length === 0)) {
    return expected === 'too_large' ? 'too large and broken' : 'malformed';
  }
  throw new Difference(
    `${encoding} is refused as ${found.reason}, not ${typeof expected === 'string' ? expected : 'inflated'}`,
  );
}

function mutate(chance: Chance, from: readonly Case[]): Case {
  const option = chance.int(ENCODINGS.length);
  const compress = COMPRESS[ENCODINGS[option]!];
  const plain = chance.oneIn(30)
    ? Buffer.alloc(chance.pick([BYTES_MAX, BYTES_MAX + 1, 4 * BYTES_MAX]))
    : chance.pick(from).bytes;
  const other = chance.pick(from).bytes;
  let bytes = compress(plain);
  const members = chance.oneIn(4) ? chance.between(1, 4) : 0;
  for (let i = 0; i < members; i++)
    bytes = Buffer.concat([bytes, compress(chance.oneIn(8) ? Buffer.alloc(BYTES_MAX) : other)]);
  const garbage = chance.oneIn(6)
    ? mutateBytes(chance, other, plain)
    : chance.oneIn(3)
      ? bytes
      : mutateBytes(chance, bytes, other);
  return { signal: 'traces', bytes: garbage, option: chance.oneIn(12) ? chance.int(ENCODINGS.length) : option };
}

/** The edge's decompression of bodies. */
export const INFLATE: Target = {
  name: 'inflate',
  oracle: "the bytes that node's streams give, up to the cap; else malformed or too large as they are",
  seeds: seedExports,
  mutate,
  run,
};
