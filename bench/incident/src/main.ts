import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '@weir/local';
import { currentCommit, readCommandLine, wrongUsage } from '@weir/testkit';
import { playIncident } from './incident.ts';
import { renderIncident } from './incident-page.ts';
import { IncidentStack } from './incident-stack.ts';
import { incidentFaults } from './judge-incident.ts';

const HELP = `Plays an incident through on the running stack: a release of the normalizer corrupts a unit, another track mends it, and
what was stored is replayed, compared and promoted.

  npm run incident                              the bug is there for 10 minutes
  npm run incident -- --minutes 1 --rate 100

  --minutes M   how long the bug is there (default 10)
  --rate R      spans, log records and data points a second (default 250)

The session is written to docs/INCIDENT.md.
Exit status: 0 all as it should be, 1 not, 2 wrong usage.
`;

const CALM_S = 60;
const print = (text: string) => process.stdout.write(`${text}\n`);

async function main(): Promise<number> {
  const values = readCommandLine(
    { minutes: { type: 'string', default: '10' }, rate: { type: 'string', default: '250' } },
    HELP,
  );
  const [minutes, rate] = [Number(values.minutes), Number(values.rate)];
  if (!(minutes > 0) || !(rate >= 10)) wrongUsage('--minutes is more than 0, --rate 10 or more');
  const bugS = Math.round(minutes * 60);
  const incident = await IncidentStack.start();
  try {
    const result = await playIncident(incident, { calmS: Math.min(CALM_S, bugS / 6), bugS, rate }, print);
    const circumstances = { commit: currentCommit(), cores: availableParallelism() };
    writeFileSync(join(ROOT, 'docs/INCIDENT.md'), renderIncident(result, circumstances));
    const faults = incidentFaults(result);
    for (const fault of faults) print(fault);
    return faults.length === 0 ? 0 : 1;
  } finally {
    await incident.stop();
  }
}

process.exit(await main());
