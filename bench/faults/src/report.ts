import type { Failure, KeptResult, ResultFile } from './result-file.ts';
import type { FaultRow } from './rows/row.ts';

const NOT_INJECTED = `## Not injected here

| fault | why | what is shown instead |
| --- | --- | --- |
| ClickHouse's disk full to the last byte within a write | the engine (26.7) commits broken parts then | it is told to leave room free, and refuses before (\`disk-full-clickhouse\`) |
| one bad row in an insert | the load has none | services/sink/test/bad-rows.test.ts: bad rows on the real stack, the sink killed by \`sink.after_refusal\`, \`sink.after_letter\` and \`sink.after_correction\` |
| ClickHouse slow by more than 5 s, up to 60 s | a row would take minutes a seed | 5 s (\`clickhouse-slow\`), and no answer at all for 15 s (\`clickhouse-frozen\`) |
| loss of single packets | needs a network emulator in the kernel | what TCP makes of it: stalls and resets on each link |
`;

/** bench/results/faults.md out of all that is kept. */
export function renderReport(rows: readonly FaultRow[], file: ResultFile, machine: string): string {
  const { results, failures } = file;
  const impossible = rows.flatMap(({ fault, impossible }) => {
    const why = impossible?.();
    return why === undefined ? [] : [`| ${fault} | ${why} | nothing |\n`];
  });
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

${seeds} seeds, ${acked.toLocaleString('en-US')} items acknowledged. ${renderPeak(file)}

| fault | row | seeds | rate/s | sent | acked | lost | doubled | alien | other tenant | not retryable | books off | recovery s, median (max) | commit |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |
${lines.join('\n')}

"recovery" is from the end of the load until every acknowledged item could be queried. A second copy that a client sends
because its answer was lost has an id of its own here: nothing is sent twice.

${renderFigures(rows, results)}${renderFailures(failures)}${NOT_INJECTED}${impossible.join('')}`;
}

/** At what share of the machine's peak the rows ran. */
function renderPeak({ peak, results }: ResultFile): string {
  if (peak === undefined) return 'The peak of the machine was not measured.';
  const share = (rate: number) => `${Math.round((rate / peak.rate) * 100)} %`;
  const rates = results.map(({ rate }) => rate);
  const shares = [...new Set([share(Math.min(...rates)), share(Math.max(...rates))])];
  const ran = rates.length === 0 ? '' : ` The rows ran at ${shares.join(' to ')} of it.`;
  const tried = peak.steps.map(
    ({ rate, accepted, p99Ms, recoveryS }) =>
      `${rate.toLocaleString('en-US')}: ${(accepted * 100).toFixed(1)} % in a p99 of ${Math.round(p99Ms).toLocaleString('en-US')} ms, all stored after ${recoveryS.toFixed(1)} s`,
  );
  return `The highest rate of this load that the machine bears without a fault (99 % acknowledged, p99 of the answers at most 1 s,
all stored within 5 s of its end) is ${peak.rate.toLocaleString('en-US')} spans/s (commit ${peak.commit}; steps of 8 s by \`npm run faults -- --peak\`).${ran}

Steps, spans/s and what was acknowledged: ${tried.join('; ')}.`;
}

function renderFailures(failures: readonly Failure[]): string {
  if (failures.length === 0) return '';
  const lines = failures.map(({ row, error, commit }) => {
    const cell = error.split('\n')[0]!.slice(0, 200).replaceAll('|', '\\|');
    return `| \`${row}\` | ${cell} | ${commit} |`;
  });
  return `## Failed

Rows that could not be run to their end, so that their seeds above are missing, fewer, or older.

| row | why | commit |
| --- | --- | --- |
${lines.join('\n')}

`;
}

function renderRow(row: FaultRow, results: readonly KeptResult[]): string {
  const sum = (pick: (result: KeptResult) => number) => results.reduce((total, result) => total + pick(result), 0);
  const recoveries = results.map(({ recoveryS }) => recoveryS).sort((a, b) => a - b);
  const seen = results.filter(({ expected }) => expected === true).length;
  const fault = results[0]?.fault ?? `${row.fault} (as it is told now: of these runs it was not kept)`;
  const cells = [
    results.every(({ expected }) => expected === undefined)
      ? fault
      : `${fault}; answered so in ${seen} of ${results.length}`,
    `\`${row.name}\``,
    results.length,
    Math.min(...results.map(({ rate }) => rate)),
    sum(({ sent }) => sent),
    sum(({ acked }) => acked),
    sum(({ lost }) => lost),
    sum(({ doubled }) => doubled),
    sum(({ alien }) => alien),
    sum(({ misplaced }) => misplaced),
    sum(({ notRetryable }) => notRetryable),
    sum(({ books }) => books),
    `${recoveries[recoveries.length >> 1]!.toFixed(1)} (${recoveries.at(-1)!.toFixed(1)})`,
    [...new Set(results.map(({ commit }) => commit ?? 'not kept'))].join(', '),
  ];
  return `| ${cells.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en-US') : cell)).join(' | ')} |`;
}

/** What rows measured beside the counts: of numbers the median and the greatest, of words those that occurred. */
function renderFigures(rows: readonly FaultRow[], results: readonly KeptResult[]): string {
  const lines = rows.flatMap(({ name }) => {
    const own = results.filter(({ row }) => row === name).map(({ figures }) => figures ?? {});
    const names = new Set(own.flatMap((figures) => Object.keys(figures)));
    return [...names].map((figure) => {
      const values = own.flatMap((figures) => figures[figure] ?? []);
      const numbers = values.filter((value) => typeof value === 'number').sort((a, b) => a - b);
      const words = [...new Set(values.filter((value) => typeof value === 'string'))].join('; ');
      const show = (value: number) => value.toLocaleString('en-US', { maximumFractionDigits: 2 });
      const text = numbers.length === 0 ? words : `${show(numbers[numbers.length >> 1]!)} (${show(numbers.at(-1)!)})`;
      return `| \`${name}\` | ${figure} | ${text} |`;
    });
  });
  if (lines.length === 0) return '';
  return `## What single rows measured

| row | figure | median (max) |
| --- | --- | ---: |
${lines.join('\n')}

`;
}
