import { corrupt, type Readable, unknownVersion } from './layout.ts';

/** A position of a sink, as it was committed: the second place where it stands. */
export interface Progress {
  readonly offset: number;
  readonly metadata: string;
}

const VERSION = 1;
const HEAD = 1 + 8;

/** Key of one partition's positions on weir.progress. */
export function progressKey(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

/** Encodes the value of a weir.progress record. */
export function encodeProgress({ offset, metadata }: Progress): Buffer {
  const text = Buffer.from(metadata, 'utf8');
  const out = Buffer.allocUnsafe(HEAD + text.length);
  out[0] = VERSION;
  out.writeBigUInt64BE(BigInt(offset), 1);
  text.copy(out, HEAD);
  return out;
}

/** Decodes the value of a weir.progress record. */
export function decodeProgress(value: Buffer | null): Readable<Progress> {
  if (value === null || value[0] !== VERSION) return unknownVersion('progress', value?.[0]);
  if (value.length < HEAD) return corrupt('progress', 'length does not fit');
  return { ok: true, value: { offset: Number(value.readBigUInt64BE(1)), metadata: value.toString('utf8', HEAD) } };
}
