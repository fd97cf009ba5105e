import { faultsOf, growthOf } from './judge.ts';
import { ATTACKS, GREEDY, HONEST, type Round, SERVICES, type SoakOptions, type SoakResult } from './soak.ts';

/** Where and on what it ran. */
export interface Circumstances {
  readonly commit: string;
  readonly cores: number;
}

const count = (value: number) => value.toLocaleString('en-US');

/** The page of a soak. */
export function renderSoak(result: SoakResult, options: SoakOptions, { commit, cores }: Circumstances): string {
  const faults = faultsOf(result);
  const minutes = (options.rounds * options.roundS) / 60;
  const sum = (key: 'sent' | 'accepted' | 'lost' | 'doubled' | 'misplaced') =>
    count(result.rounds.reduce((total, round) => total + round[key], 0));
  return `# Soak

Written by \`npm run soak\` from a run on the real stack: ${minutes.toFixed(0)} minutes, commit ${commit}, everything on one machine with ${cores} cores.
Honest clients (${HONEST.length} tenants, ${count(options.rate)} spans, log records and data points a second over HTTP and gRPC through Envoy, exports of 50, gzip)
beside hostile ones, which come through Envoy and to the edge's own ports in turn, and a tenant at ten times its rate.

Honest: ${sum('sent')} items sent, ${sum('accepted')} accepted, lost ${sum('lost')}, doubled ${sum('doubled')}, under another tenant ${sum('misplaced')}.
${faults.length === 0 ? 'No honest client saw an error; the books of all tenants balance; memory is flat; no process was restarted.' : `**Not as promised:**\n\n${faults.map((fault) => `- ${fault}`).join('\n')}`}

| until minute | accepted | refused | p50 ms | p99 ms | ${SERVICES.map((name) => `${name} MiB`).join(' | ')} |
| ---: | ---: | ---: | ---: | ---: | ${SERVICES.map(() => '---:').join(' | ')} |
${result.rounds.map(renderRound).join('\n')}

Memory (RSS, medians), second quarter and last: ${growthOf(result)
    .map(({ service, early, late }) => `${service} ${early.toFixed(0)} and ${late.toFixed(0)} MiB`)
    .join(', ')}.

## What the hostile clients were answered

\`cut\`: the connection was ended without an answer; \`held\`: it was left open, and nothing came of it.

| attack | what | answers |
| --- | --- | --- |
${ATTACKS.map(({ name, what }) => `| ${name} | ${what} | ${renderAnswers(result.answers.get(name))} |`).join('\n')}
| slow-bodies | 50 bodies a byte at a time over HTTP, 20 gRPC messages that never end | ${renderAnswers(result.answers.get('slow-bodies'))} |

The tenant over its rate (\`${GREEDY}\`), items: ${renderAnswers(result.greedy)}.
`;
}

function renderRound(round: Round): string {
  const refused = Object.values(round.refused).reduce((sum, items) => sum + items, 0);
  const memory = SERVICES.map((name) => round.memory[name]?.toFixed(0) ?? '');
  const cells = [round.minute.toFixed(1), count(round.accepted), count(refused), round.p50Ms.toFixed(1)];
  return `| ${[...cells, round.p99Ms.toFixed(1), ...memory].join(' | ')} |`;
}

function renderAnswers(answers: ReadonlyMap<string, number> | undefined): string {
  return [...(answers ?? [])].map(([answer, times]) => `${answer}: ${count(times)}`).join(', ');
}
