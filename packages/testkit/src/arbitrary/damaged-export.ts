import type { SignalKind } from '@weir/pipeline';
import fc from 'fast-check';
import { encodeExport } from '../oracle/otlp.ts';
import { exportRequest } from './exports.ts';

/** The bytes of an export of which some are changed, cut off, left out or put in, `changes.min` to `changes.max` times. */
export function damagedExport(
  signal: SignalKind,
  changes: { readonly min: number; readonly max: number },
): fc.Arbitrary<{ readonly signal: SignalKind; readonly bytes: Buffer }> {
  const change = fc.record({ at: fc.nat(), byte: fc.nat(255), kind: fc.nat(3) });
  const edits = fc.array(change, { minLength: changes.min, maxLength: changes.max });
  return fc.tuple(exportRequest(signal), edits).map(([init, made]) => {
    let bytes = Buffer.from(encodeExport(signal, init));
    for (const { at, byte, kind } of made) {
      const from = at % (bytes.length + 1);
      if (kind === 0) bytes = bytes.subarray(0, from);
      else if (kind === 1) bytes = Buffer.concat([bytes.subarray(0, from), Buffer.of(byte), bytes.subarray(from)]);
      else if (kind === 2) bytes = Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + 1)]);
      else if (from < bytes.length) bytes[from] = byte;
    }
    return { signal, bytes };
  });
}
