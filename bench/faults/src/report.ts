import type { FaultRow } from './rows/row.ts';
import type { SeedResult } from './run-row.ts';

const NOT_INJECTED = `## Not injected here

| fault | why | what is shown instead |
| --- | --- | --- |
| ClickHouse's disk full to the last byte within a write | the engine (26.7) commits broken parts then | it is told to leave room free, and refuses before (\`disk-full-clickhouse\`) |
| loss of single packets | needs a network emulator in the kernel | what TCP makes of it: stalls and resets on each link |
| clock an hour ahead, behind, jumping | needs another clock for one process | limits use the monotonic clock; topics have LogAppendTime |
| 1 -> 3 -> 1 instances; rebalance in the middle of a batch | not yet written | the simulation; freezing a service is a rebalance |
| a tenant at 10 times its quota; slow bodies; stale flow reports | issue C | nothing yet |
| tenant store unreachable | services/edge/test/outage.test.ts | known keys work, unknown ones get 503 |
| 256 MiB memory limit | not yet written | nothing yet |
`;

/** bench/results/faults.md out of all results that are kept. */
export function renderReport(rows: readonly FaultRow[], results: readonly SeedResult[], machine: string): string {
  const lines = rows.flatMap((row) => {
    const own = results.filter((result) => result.row === row.name);
    return own.length === 0 ? [] : [renderRow(row, own)];
  });
  const seeds = results.length;
  const acked = results.reduce((total, result) => total + result.acked, 0);
  return `# Faults

Written by \`npm run faults\` from runs on the real stack; the results of each seed are in faults.json. Each seed is a load over
HTTP and gRPC through Envoy (exports of 200 spans, gzip) with the fault in the middle of it; afterwards what the generator's
journal says is compared with ClickHouse. ${machine}

${seeds} seeds, ${acked.toLocaleString('en-US')} items acknowledged.

| fault | row | seeds | rate/s | sent | acked | lost | doubled | alien | other tenant | not retryable | books off | recovery s, median (max) |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${lines.join('\n')}

"recovery" is from the end of the load until every acknowledged item could be queried. A second copy that a client sends
because its answer was lost has an id of its own here: nothing is sent twice.

${NOT_INJECTED}`;
}

function renderRow(row: FaultRow, results: readonly SeedResult[]): string {
  const sum = (pick: (result: SeedResult) => number) => results.reduce((total, result) => total + pick(result), 0);
  const recoveries = results.map(({ recoveryS }) => recoveryS).sort((a, b) => a - b);
  const seen = results.filter(({ expected }) => expected === true).length;
  const cells = [
    row.expects === undefined ? row.fault : `${row.fault}; answered so in ${seen} of ${results.length}`,
    `\`${row.name}\``,
    results.length,
    results[0]!.rate,
    sum(({ sent }) => sent),
    sum(({ acked }) => acked),
    sum(({ lost }) => lost),
    sum(({ doubled }) => doubled),
    sum(({ alien }) => alien),
    sum(({ misplaced }) => misplaced),
    sum(({ notRetryable }) => notRetryable),
    sum(({ books }) => books),
    `${recoveries[recoveries.length >> 1]!.toFixed(1)} (${recoveries.at(-1)!.toFixed(1)})`,
  ];
  return `| ${cells.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en-US') : cell)).join(' | ')} |`;
}
