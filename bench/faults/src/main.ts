import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from '@weir/local';
import { renderReport } from './report.ts';
import { ROWS } from './rows/all.ts';
import { isKept, runRow, type SeedResult } from './run-row.ts';

const HELP = `Faults injected into the running stack under load.

  npm run faults -- --row sink-after-insert --seeds 10 --rate 20000
  npm run faults -- --row all --seeds 10

  --row NAME    a row, a part of its name, or all
  --seeds K     how often (default 3)
  --rate R      spans a second (default 10000)
  --seconds S   how long the load goes on at least (default 6)
  --long        services are frozen for 60 s instead of 15 s
  --list        the rows

Results are kept in bench/results/faults.json and written to bench/results/faults.md.
Exit status: 0 nothing lost, doubled or refused for good, 1 something was, 2 wrong usage.
`;

const RESULTS = join(ROOT, 'bench/results/faults.json');
const REPORT = join(ROOT, 'bench/results/faults.md');
const print = (text: string) => process.stdout.write(`${text}\n`);

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      row: { type: 'string' },
      seeds: { type: 'string', default: '3' },
      rate: { type: 'string', default: '10000' },
      seconds: { type: 'string', default: '6' },
      long: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.list) for (const { name, fault } of ROWS) print(`${name.padEnd(32)} ${fault}`);
  if (values.list) return 0;
  const rows = ROWS.filter(
    ({ name }) => values.row === 'all' || (values.row !== undefined && name.includes(values.row)),
  );
  const [seeds, rate, seconds] = [values.seeds, values.rate, values.seconds].map(Number);
  const wrong = rows.length === 0 || ![seeds, rate, seconds].every((value) => value! > 0);
  if (values.help === true || wrong) {
    print(HELP);
    return values.help === true ? 0 : 2;
  }
  let broken = 0;
  for (const row of rows) {
    print(`${row.name}: ${row.fault}`);
    const why = row.impossible?.();
    if (why !== undefined) {
      print(`  not injected here: ${why}`);
      continue;
    }
    try {
      const results = await runRow(row, { seeds: seeds!, rate: rate!, seconds: seconds!, onSeed: printSeed });
      broken += results.filter((result) => !isKept(result)).length;
      keep(row.name, results);
    } catch (error) {
      broken++;
      print(`  failed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return broken === 0 ? 0 : 1;
}

function printSeed(result: SeedResult): void {
  const { seed, sent, acked, lost, doubled, alien, notRetryable, books, recoveryS, reasons, figures } = result;
  const words = `sent ${sent}, acked ${acked}, lost ${lost}, doubled ${doubled}, alien ${alien}, not retryable ${notRetryable}, books off ${books}`;
  print(
    `  seed ${seed}: ${words}, recovered in ${recoveryS.toFixed(1)} s ${JSON.stringify(reasons)} ${JSON.stringify(figures)}`,
  );
}

/** The newest results of a row take the place of its former ones. */
function keep(row: string, results: readonly SeedResult[]): void {
  const all = existsSync(RESULTS) ? (JSON.parse(readFileSync(RESULTS, 'utf8')) as SeedResult[]) : [];
  const kept = [...all.filter((result) => result.row !== row), ...results];
  writeFileSync(RESULTS, `${JSON.stringify(kept, null, 1)}\n`);
  const machine = `Everything, the generator too, ran on one machine with ${availableParallelism()} cores.`;
  writeFileSync(REPORT, renderReport(ROWS, kept, machine));
}

process.exit(await main());
