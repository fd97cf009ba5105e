import { Compressor, compressSync } from 'snappy';
import { expect, test } from 'vitest';
import { unsnap, unsnapSync } from './snappy.ts';

const MAX = 4 * 1024 ** 2;
const options = { maxOutputLength: MAX };
const IDENTIFIER = Buffer.from('\xff\x06\x00\x00sNaPpY', 'latin1');

/** The framing format as the library writes it. */
async function framed(plain: Buffer): Promise<Buffer> {
  const compressor = new Compressor();
  return Buffer.concat([compressor.update(plain), await compressor.finish()]);
}

function text(size: number): Buffer {
  const line = 'a resource, a scope, and many spans; ';
  return Buffer.from(line.repeat(Math.ceil(size / line.length)).slice(0, size));
}

function noise(size: number): Buffer {
  let state = 7;
  return Buffer.from(Uint8Array.from({ length: size }, () => (state = (Math.imul(state, 48_271) >>> 0) % 251)));
}

/** One chunk of the framing format. */
function chunk(type: number, data: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head[0] = type;
  head.writeUIntLE(data.length, 1, 3);
  return Buffer.concat([head, data]);
}

const both = async (body: Buffer): Promise<Buffer[]> => [unsnapSync(body, options), await unsnap(body, options)];

/** The code with which both ways fail. */
async function codes(body: Buffer): Promise<unknown[]> {
  const codeOf = (error: unknown) => (error as { code?: string }).code;
  let sync: unknown = 'none';
  try {
    unsnapSync(body, options);
  } catch (error) {
    sync = codeOf(error);
  }
  return [sync, await unsnap(body, options).then(() => 'none', codeOf)];
}

test.each([0, 1, 100, 65_536, 65_537, 3_000_000])(
  'a block and a framed body of %i bytes come back as they were',
  async (size) => {
    for (const plain of [text(size), noise(size)]) {
      for (const body of [compressSync(plain), await framed(plain)]) {
        if (body.length > 0) for (const found of await both(body)) expect(found.equals(plain)).toBe(true);
      }
    }
  },
);

test('padding and skippable chunks are passed over, and a stream may begin anew', async () => {
  const one = await framed(text(500));
  const body = Buffer.concat([one, chunk(0xfe, Buffer.alloc(9)), chunk(0x80, noise(3)), one]);
  for (const found of await both(body)) expect(found.equals(Buffer.concat([text(500), text(500)]))).toBe(true);
});

test('may be as large as the limit, and is too large one byte above it', async () => {
  for (const make of [async (plain: Buffer) => compressSync(plain), framed]) {
    expect((await both(await make(Buffer.alloc(MAX)))).map(({ length }) => length)).toEqual([MAX, MAX]);
    expect(await codes(await make(Buffer.alloc(MAX + 1)))).toEqual(['ERR_BUFFER_TOO_LARGE', 'ERR_BUFFER_TOO_LARGE']);
  }
});

test('is an error, and not too large, where it claims more than it can hold', async () => {
  const claims = Buffer.from('ffffffff0f00', 'hex');
  for (const code of await codes(claims)) expect(code).not.toBe('ERR_BUFFER_TOO_LARGE');
  for (const code of await codes(claims)) expect(code).not.toBe('none');
});

test('is an error where it is damaged', async () => {
  const whole = await framed(noise(70_000));
  const flipped = Buffer.from(whole);
  flipped[whole.length - 5]! ^= 1;
  const damaged = [
    flipped,
    whole.subarray(0, whole.length - 1),
    whole.subarray(0, IDENTIFIER.length + 2),
    Buffer.concat([IDENTIFIER, chunk(0x02, noise(9))]),
    Buffer.concat([IDENTIFIER, chunk(0x00, noise(2))]),
    Buffer.concat([IDENTIFIER, chunk(0xff, Buffer.from('sNaPpX'))]),
    Buffer.concat([IDENTIFIER, chunk(0x01, noise(65_536 + 5))]),
  ];
  for (const body of damaged) {
    for (const code of await codes(body)) expect(code).not.toBe('none');
  }
});

test('is an error where a million chunks hold nothing: each would be a call', async () => {
  const nothing = chunk(0x00, Buffer.from('d8ea82a200', 'hex'));
  expect(unsnapSync(Buffer.concat([IDENTIFIER, nothing]), options).length).toBe(0);
  for (const each of [nothing, chunk(0xfe, Buffer.alloc(0))]) {
    const many = Buffer.alloc(each.length * 1_000_000, each);
    expect(await codes(Buffer.concat([IDENTIFIER, many]))).toEqual(['ERR_SNAPPY', 'ERR_SNAPPY']);
  }
});
