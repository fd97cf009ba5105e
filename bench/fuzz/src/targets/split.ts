import { isDeepStrictEqual } from 'node:util';
import { createTotals, Scanner, splitExport } from '@weir/otlp';
import { decodeExport, type ExpectedRows, expectedRows } from '@weir/testkit';
import { mutateExport, seedExports } from '../corpus.ts';
import { OWNER, SLOW_NS } from '../owner.ts';
import { refusalOf, scanBoth, totals } from '../scan-both.ts';
import { type Case, Difference, type Target } from '../target.ts';

const scanner = new Scanner();
const ofPiece = createTotals();
/** All pieces together over the export (split.ts), and the piece that goes beyond it. */
const OUTPUT_RATIO = 2;

function run({ signal, bytes, option }: Case): string {
  const { official, expected } = scanBoth(signal, bytes);
  const bytesMax = 40 + (option % (bytes.length + 40));
  const pieces: Buffer[] = [];
  const split = splitExport(bytes, bytesMax, (piece) => pieces.push(piece));
  const made = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (made > OUTPUT_RATIO * bytes.length + bytesMax) throw new Difference(`pieces of ${made} bytes in all`);
  if (expected === undefined) return refusalOf(official);
  if (!split) return 'cannot be split';
  const sum = { items: 0, errorItems: 0, slowItems: 0, rejectedItems: 0 };
  const joined: ExpectedRows = { rows: {}, invalid: {} };
  for (const piece of pieces) {
    if (piece.length > bytesMax) throw new Difference(`a piece of ${piece.length} bytes where ${bytesMax} are allowed`);
    if (!scanner.scan(signal, piece, SLOW_NS, ofPiece).ok) throw new Difference('a piece is no export');
    for (const name of ['items', 'errorItems', 'slowItems', 'rejectedItems'] as const) sum[name] += ofPiece[name];
    const { rows, invalid } = expectedRows(signal, decodeExport(signal, piece), OWNER);
    for (const [table, some] of Object.entries(rows) as [keyof typeof rows, typeof rows.otel_logs & object][]) {
      joined.rows[table] = [...(joined.rows[table] ?? []), ...some];
    }
    for (const [fault, items] of Object.entries(invalid)) joined.invalid[fault] = (joined.invalid[fault] ?? 0) + items;
  }
  const { items, errorItems, slowItems, rejectedItems } = totals;
  if (!isDeepStrictEqual(sum, { items, errorItems, slowItems, rejectedItems })) {
    throw new Difference(
      `the pieces hold ${JSON.stringify(sum)} of ${items}, ${errorItems}, ${slowItems}, ${rejectedItems}`,
    );
  }
  if (!isDeepStrictEqual(joined, expected)) throw new Difference('the pieces say something else than the whole');
  return pieces.length > 1 ? 'split' : 'whole';
}

/** The edge's splitter of exports that are too large for one record. */
export const SPLIT: Target = {
  name: 'split',
  oracle: 'each piece fits and is an export; together the pieces have the counts and the rows of the whole, in order',
  seeds: seedExports,
  mutate: mutateExport,
  run,
};
