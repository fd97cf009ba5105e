import type { TLSSocket } from 'node:tls';

// HTTP/2 as bytes: what no client library would send.

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const FLAG = { none: 0, endStream: 1, endHeaders: 4 } as const;

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const HEAD_BYTES = 9;
/** What was written may wait in the sockets of a busy machine. */
export const CLOSES_MS = 20_000;

export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** An integer of HPACK with a prefix of so many bits. */
function hpackInteger(value: number, bits: number, first: number): Buffer {
  const max = 2 ** bits - 1;
  if (value < max) return Buffer.from([first | value]);
  const bytes = [first | max];
  let rest = value - max;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}

const text = (value: string): Buffer =>
  Buffer.concat([hpackInteger(Buffer.byteLength(value), 7, 0), Buffer.from(value)]);

/** A header field as a literal, kept in the table of the connection or not. */
export function field(name: string, value: string, indexed = false): Buffer {
  return Buffer.concat([Buffer.from([indexed ? 0x40 : 0x00]), text(name), text(value)]);
}

/** The newest entry of the connection's table, once more: one byte. */
export const NEWEST = 0xbe;

/** The head of a gRPC call. */
export function callHead(path: string, key: string): Buffer {
  return Buffer.concat([
    field(':method', 'POST'),
    field(':scheme', 'https'),
    field(':authority', 'localhost'),
    field(':path', path),
    field('content-type', 'application/grpc'),
    field('te', 'trailers'),
    field('authorization', `Bearer ${key}`),
  ]);
}

/** What became of a connection that was flooded. */
export interface Flooded {
  /** Whether the other side closed it. */
  readonly closed: boolean;
  /** How many of the flood's pieces were written. */
  readonly written: number;
  /** Error code of the GOAWAY, where one was read. */
  readonly goaway: number | undefined;
  /** Streams that were reset. */
  readonly resets: number;
}

/** What a flood sends: a piece, or how many PING answers to wait for first. */
export type FloodPiece = Buffer | { readonly pongs: number };

/**
 * Speaks the preface and then writes piece after piece, as fast as they are taken, until the other side closes or `pieces`
 * end. `reads: false` leaves what it answers in the sockets; `closesMs` is how long it waits for the close.
 */
export async function flood(
  socket: TLSSocket,
  pieces: Iterable<FloodPiece>,
  reads = true,
  closesMs = CLOSES_MS,
): Promise<Flooded> {
  let goaway: number | undefined;
  let resets = 0;
  let pongs = 0;
  let rest: Buffer = Buffer.alloc(0);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  if (reads) {
    socket.on('data', (piece: Buffer) => {
      rest = Buffer.concat([rest, piece]);
      while (rest.length >= HEAD_BYTES && rest.length >= HEAD_BYTES + rest.readUIntBE(0, 3)) {
        const end = HEAD_BYTES + rest.readUIntBE(0, 3);
        if (rest[3] === FRAME.goaway) goaway = rest.readUInt32BE(HEAD_BYTES + 4);
        if (rest[3] === FRAME.rstStream) resets++;
        if (rest[3] === FRAME.ping) pongs++;
        rest = rest.subarray(end);
      }
    });
  } else socket.pause();
  socket.write(Buffer.concat([Buffer.from(PREFACE), frame(FRAME.settings, 0, 0)]));
  let written = 0;
  for (const piece of pieces) {
    if (socket.destroyed || !socket.writable) break;
    if (!Buffer.isBuffer(piece)) {
      while (pongs < piece.pongs && !socket.destroyed && socket.writable)
        await new Promise((resolve) => setTimeout(resolve, 1));
      continue;
    }
    const taken = new Promise<void>((resolve) => socket.write(piece, () => resolve()));
    await Promise.race([taken, closed]);
    written++;
  }
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, closesMs))]);
  const done = socket.destroyed || socket.readableEnded;
  socket.destroy();
  return { closed: done, written, goaway, resets };
}

/** The same frames again and again, so many in each piece. */
export function* repeated(bytes: Buffer, inPiece: number, pieces: number): Generator<Buffer> {
  const piece = Buffer.concat(Array.from({ length: inPiece }, () => bytes));
  for (let i = 0; i < pieces; i++) yield piece;
}

/** So many at once, and then on only when all of them have been answered: nothing piles up on the other side. */
export function* paced(bytes: Buffer, atOnce: number, rounds: number): Generator<FloodPiece> {
  for (let round = 1; round <= rounds; round++) {
    yield Buffer.concat(Array.from({ length: atOnce }, () => bytes));
    yield { pongs: atOnce * round };
  }
}
