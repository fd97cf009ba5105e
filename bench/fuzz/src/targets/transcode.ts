import { isDeepStrictEqual } from 'node:util';
import { Transcoder } from '@weir/normalize';
import { CONVENTIONS_VERSIONS, repeatedBytesMax } from '@weir/otlp';
import type { SignalKind } from '@weir/pipeline';
import { decodeExport, type ExpectedRows, expectedRows } from '@weir/testkit';
import { blockCells } from '../block-cells.ts';
import { mutateExport, seedExports } from '../corpus.ts';
import { OWNER } from '../owner.ts';
import { refusalOf, scanBoth, totals } from '../scan-both.ts';
import { type Case, Difference, type Target } from '../target.ts';

const transcoder = new Transcoder();
/** One case in as many has its names brought up to date: its texts are another test's. */
const RENAMED_EVERY = 8;

function run({ signal, bytes, option }: Case): string {
  const { official, expected } = scanBoth(signal, bytes);
  const renames = option % RENAMED_EVERY === 0;
  const conventions = renames ? { assume: CONVENTIONS_VERSIONS[option % CONVENTIONS_VERSIONS.length] } : undefined;
  const invalid: Record<string, number> = {};
  transcoder.clear();
  const added = transcoder.add({ ...OWNER, conventions, signal, body: bytes }, (fault, dead, items) => {
    invalid[fault] = items;
    if (expected !== undefined) checkDead(signal, fault, dead, items);
  });
  if (expected === undefined) {
    // Nothing comes here that the scan has not taken; yet it must not throw or loop.
    if (added.ok) transcoder.finish(() => undefined);
    return refusalOf(official);
  }
  if (!added.ok) {
    const wide = totals.repeatedBytes > repeatedBytesMax(bytes.length);
    if (added.reason === 'expands_too_far' && wide) return 'expands too far';
    throw new Difference(`the transcoder refuses as ${added.reason} what the scan takes`);
  }
  if (!isDeepStrictEqual(invalid, expected.invalid)) {
    throw new Difference(`dead letters of ${JSON.stringify(invalid)}, not ${JSON.stringify(expected.invalid)}`);
  }
  const merges = official.walk?.repeatsSingle === true;
  checkRows(expected, renames || merges);
  return renames ? 'taken, names brought up to date' : merges ? 'taken, a message repeated' : 'taken';
}

/** The blocks hold just the expected rows; of some only how many there are is known. */
function checkRows({ rows }: ExpectedRows, countOnly: boolean): void {
  const found: ExpectedRows['rows'] = {};
  transcoder.finish(({ table, block, rows: count }) => {
    const cells = blockCells(table, block);
    if (cells.length !== count) throw new Difference(`${table} has ${cells.length} rows, not ${count}`);
    found[table] = cells;
  });
  for (const table of new Set([...Object.keys(rows), ...Object.keys(found)]) as Set<keyof typeof rows>) {
    const [mine, theirs] = [found[table] ?? [], rows[table] ?? []];
    if (mine.length !== theirs.length) throw new Difference(`${mine.length} rows in ${table}, not ${theirs.length}`);
    if (countOnly) continue;
    for (const [row, expected] of theirs.entries()) {
      for (const [name, cell] of Object.entries(expected)) {
        const own = mine[row]![name];
        if (isDeepStrictEqual(own, cell)) continue;
        throw new Difference(`${table}.${name} is ${JSON.stringify(own)}, not ${JSON.stringify(cell)}`);
      }
    }
  }
}

function checkDead(signal: SignalKind, fault: string, dead: Buffer, items: number): void {
  const again = expectedRows(signal, decodeExport(signal, dead), OWNER);
  if (isDeepStrictEqual(again, { rows: {}, invalid: { [fault]: items } })) return;
  throw new Difference(`a dead letter of ${items} ${fault} holds ${JSON.stringify(again.invalid)} and rows`);
}

/** The normalizer's transcoder, up to the bytes of its blocks. */
export const TRANSCODE: Target = {
  name: 'transcode',
  oracle:
    'every cell of every Native block is what the official message says; dead letters hold just the other items; any bytes end in an answer',
  seeds: seedExports,
  mutate: mutateExport,
  run,
};
