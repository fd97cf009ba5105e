import { machine } from '@weir/testkit';
import type { Answered } from './ask.ts';
import type { Cost } from './database.ts';
import { rowsOfInsert, type TableFill } from './fill.ts';
import type { RowsShape } from './rows.ts';
import { TABLES } from './schemas.ts';

/** All that one run found. */
export interface QueriesResult {
  readonly shape: Omit<RowsShape, 'startNs'>;
  /** Rows of one insert where merges went on between them. */
  readonly insertRows?: number | undefined;
  readonly engine: string;
  readonly threads: number;
  readonly rounds: number;
  readonly fills: readonly TableFill[];
  readonly answers: readonly Answered[];
}

/** None slower than this, and with a tenant filter faster. */
const RATIO_MAX = 1.1;

const count = (value: number) => Math.round(value).toLocaleString('en-US');
const ms = (value: number) => value.toFixed(1);
const mib = (bytes: number) => (bytes / 1024 ** 2).toFixed(bytes < 1024 ** 3 / 10 ? 2 : 0);

const costsAre = (
  rows: number,
) => `CPU is that of the whole process for a million rows: the insert from memory of ${count(rowsOfInsert(rows))} rows at a time, each index and view included, and one merge of
all parts at the end.`;

/** bench/results/queries.md; `base` is the schema that the others are what it is compared with. */
export function renderReport(result: QueriesResult, base: string): string {
  const { shape } = result;
  const here = machine();
  const others = [...new Set(result.answers.map(({ schema }) => schema))].filter((name) => name !== base);
  return `# The usual questions, beside the Collector's schema

Written by \`npm run queries\`: ${count(shape.rows)} spans and ${count(shape.rows)} logs, the same rows in each schema, ${shape.tenants} tenants (the largest has ${Math.round(100 / Math.sqrt(shape.tenants))} % of
the rows), ${shape.services} names of services of which each tenant has 20, 8 attributes a span, 6 on its resource, ${shape.hours} hours (an "hour" is a sixth of them), seed ${shape.seed}, granules of ${count(shape.granuleRows)} rows;
ClickHouse ${result.engine} embedded, ${result.threads} threads a query, on ${here.cores} cores (${here.cpu}). ${result.insertRows === undefined ? 'Tables are merged to one part a partition.' : `Inserts were of ${count(result.insertRows)} rows, and tables are as far merged as the engine came by itself.`}
Medians of ${result.rounds} rounds in alternation, each looking for something else, one cold and three warm runs a round; all schemas gave the same answers.

- "contrib-0.149" is the table DDL of the OpenTelemetry Collector's ClickHouse exporter v0.149.0; "contrib-0.161" has the logs table of v0.161.0 with text indexes.
- The exporter has no tenant: there it is a resource attribute \`tenant.id\`, in its rows only, and the filter is on that. Weir has the column TenantId.
- Cold: the engine's caches dropped, data files read past the page cache (O_DIRECT); marks and indexes may still come from it. Warm: the same query again, without the cache of query conditions.
- Bodies are searched by the function that the schema's index is made for: hasToken on Body (0.149), on lower(Body) (Weir, 0.161). The words looked for are lower-case.
- Rows and bytes are what the engine read after its indexes; compressed bytes those of columns, marks and indexes in the cold run.

## Questions

${others.map((other) => questions(result.answers, base, other)).join('\n\n')}

## Tables

${result.insertRows === undefined ? costsAre(shape.rows) : 'What inserts and merges cost is not told apart where they go on at once.'} The look-up is filled with the spans. Tenants have ${shape.oneRetention ? 'one retention, so an insert touches one partition' : 'three retentions, so an insert touches three partitions'} of
Weir's tables and one of the exporter's. Rows come in the order of time.

| schema | table | rows | insert CPU s/M | merge CPU s/M | MiB on disk | bytes a row | of that indexes | parts |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${result.fills.map(tableLine).join('\n')}

## Bytes a row by column

${TABLES.map((table) => columns(result.fills, table)).join('\n\n')}
`;
}

/** Whether the goal holds for this pair, warm. */
export function holds(base: Cost, other: Cost, oneTenant: boolean): boolean {
  const ratio = base.wallMs / other.wallMs;
  return oneTenant ? ratio < 1 : ratio <= RATIO_MAX;
}

function questions(answers: readonly Answered[], base: string, other: string): string {
  const lines = answers
    .filter(({ schema }) => schema === base)
    .map((ours) => {
      const theirs = answers.find(
        ({ schema, question, oneTenant }) =>
          schema === other && question === ours.question && oneTenant === ours.oneTenant,
      )!;
      const pair = (key: 'cold' | 'warm', show: (cost: Cost) => string) => `${show(ours[key])} | ${show(theirs[key])}`;
      return [
        `| ${ours.question}`,
        ours.oneTenant ? 'one' : 'all',
        pair('warm', ({ wallMs }) => ms(wallMs)),
        `${(ours.warm.wallMs / theirs.warm.wallMs).toFixed(2)}${holds(ours.warm, theirs.warm, ours.oneTenant) ? '' : ' (!)'}`,
        pair('warm', ({ cpuMs }) => ms(cpuMs)),
        pair('cold', ({ wallMs }) => ms(wallMs)),
        (ours.cold.wallMs / theirs.cold.wallMs).toFixed(2),
        pair('warm', ({ rows }) => count(rows)),
        pair('warm', ({ bytes }) => mib(bytes)),
        `${pair('cold', ({ compressedBytes }) => mib(compressedBytes))} |`,
      ].join(' | ');
    });
  return `### ${base} and ${other}

Milliseconds, first of ${base}, then of ${other}; (!) where the goal is missed: at most ${RATIO_MAX} times with all tenants, less than 1 with one.

| question | tenants | warm | | ratio | CPU | | cold | | ratio | rows read | | MiB read | | compressed MiB, cold | |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${lines.join('\n')}`;
}

function tableLine(fill: TableFill): string {
  const perRow = (bytes: number) => (fill.rows === 0 ? 0 : bytes / fill.rows).toFixed(1);
  return [
    `| ${fill.schema}`,
    fill.table,
    count(fill.rows),
    fill.insertCpuS?.toFixed(2) ?? '–',
    fill.mergeCpuS?.toFixed(2) ?? '–',
    mib(fill.bytesOnDisk),
    perRow(fill.bytesOnDisk),
    perRow(fill.bytesOfIndexes),
    `${fill.parts} |`,
  ].join(' | ');
}

function columns(fills: readonly TableFill[], table: string): string {
  const here = fills.filter((fill) => fill.table === table);
  const names = [...new Set(here.flatMap((fill) => Object.keys(fill.columns)))].filter((name) =>
    here.some((fill) => (fill.columns[name] ?? 0) / fill.rows >= 0.05),
  );
  const lines = names.map(
    (name) => `| ${name} | ${here.map((fill) => ((fill.columns[name] ?? 0) / fill.rows).toFixed(2)).join(' | ')} |`,
  );
  return `### ${table}

| column | ${here.map(({ schema }) => schema).join(' | ')} |
| --- | ${here.map(() => '---:').join(' | ')} |
${lines.join('\n')}`;
}
