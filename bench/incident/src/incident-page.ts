import type { IncidentResult } from './incident.ts';
import { TENANTS } from './incident-stack.ts';
import { incidentFaults } from './judge-incident.ts';

/** Where and on what it ran. */
export interface Circumstances {
  readonly commit: string;
  readonly cores: number;
}

const count = (value: number) => value.toLocaleString('en-US');

/** docs/INCIDENT.md. */
export function renderIncident(result: IncidentResult, { commit, cores }: Circumstances): string {
  const { options, before, after, others, window } = result;
  const faults = incidentFaults(result);
  const perTable = Object.entries(result.wrong).map(([name, points]) => {
    const [table, tenant] = name.split(' ');
    return `| ${table} | ${tenant} | ${count(points)} | ${count(result.different[name] ?? 0)} |`;
  });
  const wrong = before.wrong.length;
  return `# An incident, played through

Written by \`npm run incident\` from a run on the real stack (Kafka, ClickHouse, Envoy, both tracks; commit ${commit}, ${cores} cores): a release of the normalizer corrupts a unit
for ${duration(options.bugS)}, the tenants are shifted to a track without the bug, the window is replayed with the mended transcoder, compared, promoted, and the books balance. ${TENANTS.length} tenants send
${count(options.rate)} items a second over HTTP and gRPC all the time: half are durations in \`ms\`, which Weir stores in \`s\`, half are spans, log records and counts.
Every command was run as it stands here, by the program that \`ingestctl\` is, and printed what stands below it; only \`--data-dir\` is left out, by which \`ingestctl\` found this stack ([INGESTCTL.md](INGESTCTL.md)); \`DIR\` is that directory. Above each stands when it was run (UTC), and how long it took on a machine that
runs everything.
The bug was put into the process by a module loader: no source of Weir has a switch for it.

## What was checked

By the program, which knows what it sent: it reads ClickHouse itself, and believes nothing that Weir says.

| check | |
| --- | --- |
| durations sent, and not accepted | ${count(result.durationsSent)}, ${count([...result.durationsRefused.values()].reduce((sum, items) => sum + items, 0))} |
| before the promotion: right, wrong by exactly a factor of 1,000, otherwise | ${count(before.right.length)}, ${count(wrong)}, ${count(before.odd.length)} |
| raw records right behind the first wrong one of their partition of v1, or wrong in v2 | ${count(result.outOfTurn.length)} |
| differences that \`shadow compare\` found, and those that the bug did not make | ${count(sum(result.different))}, ${count(result.otherDifferences)} |
| after it: right, wrong, otherwise | ${count(after.right.length)}, ${count(after.wrong.length)}, ${count(after.odd.length)} |
| missing, stored twice, never sent | ${count(after.missing)}, ${count(after.doubled)}, ${count(after.alien)} |
| spans, log records and counts: accepted of sent, lost, stored twice, under another tenant | ${count(others.accepted)} of ${count(others.sent)}, ${count(others.lost)}, ${count(others.doubled)}, ${count(others.misplaced)} |

| table | tenant | wrong, by what was sent | different, by \`shadow compare\` |
| --- | --- | ---: | ---: |
${perTable.join('\n')}

${faults.length === 0 ? `All as it should be. The window was from ${window[0]} to ${window[1]}.` : `**Not as it should be:**\n\n${faults.map((fault) => `- ${fault}`).join('\n')}`}

## The session

${result.session}
`;
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, each) => total + each, 0);
}

function duration(seconds: number): string {
  return seconds % 60 === 0 ? `${seconds / 60} minutes` : `${seconds} seconds`;
}
