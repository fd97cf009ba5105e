import { join } from 'node:path';
import { ROOT } from '@weir/local';
import { currentCommit, readCommandLine } from '@weir/testkit';
import { type BenchExport, logsExport, metricsExport, spansExport } from './exports.ts';
import { compareInserts, openTables } from './insert-pairs.ts';
import { readKnown, slower, writeKnown } from './known.ts';
import { type Compared, compare, FULL, QUICK } from './measure.ts';
import { mergeReport } from './merge-report.ts';
import { pairsOf } from './pairs.ts';
import { heading, line } from './report.ts';

const HELP = `Speed of the hot path on one core, beside a plain way that never changes: scan (edge), transcode and insert body (normalizer
and sink), insert (ClickHouse), for traces, logs and metrics. Ratios, so that a slow-down shows on any machine.

  npm run bench -- --quick     under 3 minutes
  npm run bench                longer rounds, and what merges cost and rows take on disk

  --quick     shorter rounds
  --strict    status 1 where a ratio fell by more than 15 % from the one that is known
  --keep      writes the ratios to bench/results/guard.json, which later runs are held against

Exit status: 0 done, 1 --strict and something got slower, 2 wrong usage.
`;

const KNOWN = join(ROOT, 'bench/results/guard.json');
const ITEMS_PER_EXPORT = 1_000;
const ROWS_QUICK = 20_000;
const ROWS_FULL = 100_000;
const INSERTS_QUICK = 5;
const INSERTS_FULL = 9;

const print = (text: string) => process.stdout.write(`${text}\n`);
const exportsOf = (items: number): BenchExport[] => [spansExport(items), logsExport(items), metricsExport(items)];

async function main(): Promise<number> {
  const flag = { type: 'boolean', default: false } as const;
  const values = readCommandLine({ quick: flag, strict: flag, keep: flag }, HELP);
  const known = readKnown(KNOWN);
  for (const text of heading(known)) print(text);
  const found: Compared[] = [];
  const add = (one: Compared) => {
    found.push(one);
    print(line(one, known));
  };
  for (const one of exportsOf(ITEMS_PER_EXPORT)) {
    for (const pair of pairsOf(one)) add(compare(pair, values.quick ? QUICK : FULL));
  }
  const engine = await openTables();
  const rows = exportsOf(values.quick ? ROWS_QUICK : ROWS_FULL);
  for (const one of rows) add(compareInserts(engine, one, values.quick ? INSERTS_QUICK : INSERTS_FULL));
  if (!values.quick) for (const text of mergeReport(engine)) print(text);
  engine.close();
  if (values.keep) {
    const ratios = Object.fromEntries(found.map(({ name, ratio }) => [name, Math.round(ratio * 100) / 100]));
    writeKnown(KNOWN, { commit: currentCommit(), ratios });
  }
  const bad = slower(found, known);
  if (bad.length > 0) print(`slower than they may be: ${bad.join(', ')}`);
  return values.strict && bad.length > 0 ? 1 : 0;
}

process.exit(await main());
