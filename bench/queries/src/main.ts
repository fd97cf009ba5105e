import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '@weir/local';
import { readCommandLine, wrongUsage } from '@weir/testkit';
import { ask } from './ask.ts';
import { BLOCK_ROWS_MAX, Database } from './database.ts';
import { fill, type InsertCosts, type TableFill } from './fill.ts';
import { renderReport } from './report.ts';
import { type RowsShape, usualStartNs } from './rows.ts';
import { SCHEMAS } from './schemas.ts';

const HELP = `The usual questions, timed on Weir's tables beside those of the Collector's ClickHouse exporter, with the same rows.

  npm run queries -- --rows 50000000
  npm run queries -- --rows 1000000 --tenants 10 --hours 1.2 --schemas weir,weir+no-service-index --threads 1 --print

  --rows N        spans, and as many logs (default 1000000)
  --tenants N     (default 50)
  --services N    names of services; each tenant has 20 of them (default 200)
  --hours H       time that the rows take; an "hour" of a question is a sixth of it (default 6)
  --one-retention for all tenants; otherwise there are three, and so three partitions in each of Weir's inserts
  --insert N      rows of one insert, with merges as they come, and questions asked of the parts that they leave; by default inserts
                  are large, and tables are merged to one part a partition
  --rounds N      each with other things to look for (default 5)
  --schemas LIST  of ${SCHEMAS.map(({ name }) => name).join(', ')} (default weir,contrib-0.149)
  --granule N     rows of a granule: 8192 as in use, or fewer, for as many granules as a larger run has (default 8192)
  --threads N     of each statement (default 2)
  --seed N        (default 1)
  --data-dir DIR  (default node_modules/.cache/weir/queries), removed at the end without --keep
  --keep          leaves the tables
  --reuse         asks the tables that --keep left, with its rows; where a run was cut it goes on
  --print         prints the report instead of writing bench/results/queries.md and .json, with --insert queries-parts.md and .json

Exit status: 0 done, 2 it could not run.
`;

const print = (text: string) => process.stdout.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);

interface Kept {
  readonly shape: Omit<RowsShape, 'startNs'> & { readonly startNs: string };
  /** Rows of one insert where merges went on between them. */
  readonly insertRows?: number | undefined;
  /** While rows are missing, or where merges went on between inserts. */
  readonly costs?: InsertCosts;
  /** Once all are there and merged. */
  readonly fills?: readonly TableFill[];
}

function options() {
  const values = readCommandLine(
    {
      rows: { type: 'string', default: '1000000' },
      tenants: { type: 'string', default: '50' },
      services: { type: 'string', default: '200' },
      hours: { type: 'string', default: '6' },
      insert: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      schemas: { type: 'string', default: 'weir,contrib-0.149' },
      granule: { type: 'string', default: '8192' },
      threads: { type: 'string', default: '2' },
      seed: { type: 'string', default: '1' },
      'data-dir': { type: 'string', default: join(ROOT, 'node_modules/.cache/weir/queries') },
      'one-retention': { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      reuse: { type: 'boolean', default: false },
      print: { type: 'boolean', default: false },
    },
    HELP,
  );
  const number = (
    name: 'rows' | 'insert' | 'tenants' | 'services' | 'hours' | 'rounds' | 'threads' | 'seed' | 'granule',
  ) => {
    const value = Number(values[name]);
    if (!(value > 0) || (name !== 'hours' && !Number.isSafeInteger(value))) wrongUsage(`--${name} ${values[name]}`);
    return value;
  };
  const names = values.schemas.split(',');
  const schemas = names.map((name) => {
    const found = SCHEMAS.find((schema) => schema.name === name);
    return found ?? wrongUsage(`there is no schema ${name}`);
  });
  const shape: RowsShape = {
    rows: number('rows'),
    tenants: number('tenants'),
    services: number('services'),
    hours: number('hours'),
    seed: number('seed'),
    granuleRows: number('granule'),
    oneRetention: values['one-retention'],
    startNs: usualStartNs(Date.now()),
  };
  const insertRows = values.insert === undefined ? undefined : number('insert');
  if (insertRows !== undefined && insertRows > BLOCK_ROWS_MAX) wrongUsage(`--insert ${insertRows}`);
  return {
    ...values,
    insertRows,
    dir: values['data-dir'],
    schemas,
    shape,
    rounds: number('rounds'),
    threads: number('threads'),
  };
}

function run(given: ReturnType<typeof options>): void {
  const keptPath = join(given.dir, 'fill.json');
  if (given.reuse && given.insertRows !== undefined)
    wrongUsage('--reuse has the inserts that --keep left: leave out --insert');
  if (!given.reuse && existsSync(given.dir)) wrongUsage(`${given.dir} is there: remove it, or give --reuse`);
  const kept = given.reuse ? (JSON.parse(readFileSync(keptPath, 'utf8')) as Kept) : undefined;
  const shape = kept === undefined ? given.shape : { ...kept.shape, startNs: BigInt(kept.shape.startNs) };
  mkdirSync(given.dir, { recursive: true });
  const database = new Database(join(given.dir, 'data'), given.threads);
  try {
    const plain = { ...shape, startNs: String(shape.startNs) };
    const { insertRows } = kept ?? given;
    const keep = (what: Pick<Kept, 'costs' | 'fills'>) =>
      writeFileSync(keptPath, JSON.stringify({ shape: plain, insertRows, ...what }));
    const onPiece = (costs: InsertCosts) => keep({ costs });
    const fills =
      kept?.fills ?? fill(database, given.schemas, shape, print, { insertRows, onPiece, begun: kept?.costs });
    // Parts that merges left may be merged further before they are asked again: their sizes are read anew then.
    if (insertRows === undefined) keep({ fills });
    const answers = ask(database, given.schemas, { shape, rounds: given.rounds }, print);
    const [engine] = database.rows<{ version: string }>('SELECT version() AS version');
    const result = {
      shape: plain,
      insertRows,
      fills,
      engine: engine!.version,
      threads: given.threads,
      rounds: given.rounds,
      answers,
    };
    const report = renderReport(result, given.schemas[0]!.name);
    if (given.print) process.stdout.write(report);
    else {
      const path = join(ROOT, 'bench/results', insertRows === undefined ? 'queries' : 'queries-parts');
      writeFileSync(`${path}.md`, report);
      writeFileSync(`${path}.json`, `${JSON.stringify(result, null, 2)}\n`);
    }
  } finally {
    database.close();
    if (!given.keep && !given.reuse) rmSync(given.dir, { recursive: true, force: true });
  }
}

run(options());
