import { pause, type TestStack } from '@weir/testkit';
import { type IncidentStack, TENANTS } from './incident-stack.ts';
import { type Ran, Session } from './session.ts';
import { countByTable, type Judged, judgeStored, outOfTurn } from './stored-durations.ts';
import { Traffic, type TrafficVerdict } from './traffic.ts';
import { UNIT_BUG } from './unit-bug.ts';

/** How long and how much. */
export interface IncidentOptions {
  /** Traffic before the release with the bug. */
  readonly calmS: number;
  /** From that release until somebody does something about it. */
  readonly bugS: number;
  /** Items a second of all tenants. */
  readonly rate: number;
}

/** A line of what `shadow compare` prints: points of a table and tenant. */
interface Difference {
  readonly name: string;
  readonly different: number;
  readonly onOneSide: number;
}

/** What was seen. */
export interface IncidentResult {
  readonly options: IncidentOptions;
  readonly session: string;
  readonly commands: readonly Ran[];
  readonly tables: readonly string[];
  /** Before anything was mended, and what is wrong out of turn. */
  readonly before: Judged;
  readonly outOfTurn: readonly string[];
  /** The wrong points of `before` by table and tenant, and those that the comparison finds different. */
  readonly wrong: Readonly<Record<string, number>>;
  readonly different: Readonly<Record<string, number>>;
  /** What the comparison finds besides. */
  readonly otherDifferences: number;
  readonly after: Judged;
  /** Durations that were sent after v1 had its mended release and the tenants were back. */
  readonly pointsBack: number;
  readonly durationsSent: number;
  readonly durationsRefused: ReadonlyMap<string, number>;
  readonly others: TrafficVerdict;
  /** Times of receipt between which v1 had the bug and traffic. */
  readonly window: readonly [string, string];
}

const SETTLE_MS = 4_000;
const DRAINED_MS_MAX = 30_000;
const POLL_MS = 500;
const AUDITS_MAX = 3;
const NS_PER_MS = 1_000_000n;
const SHADOW_ID = /replayed as (\S+)/;

/** Plays an incident through: a release of the normalizer corrupts a unit, another track mends it, a replay mends what was stored. */
export async function playIncident(
  incident: IncidentStack,
  options: IncidentOptions,
  print: (text: string) => void,
): Promise<IncidentResult> {
  const { stack } = incident;
  const session = new Session(stack, print);
  const traffic = new Traffic(stack, TENANTS, options.rate);
  await pause(options.calmS * 1_000);
  const fromMs = await breaks(incident, session, options);
  await shifts(stack, session);
  const window = await windowOf(fromMs, session);
  const { id, before, differences } = await replays(stack, session, traffic, window);
  await promotes(session, id);
  const backMs = await ends(incident, session, id);
  const others = await traffic.end();
  const after = await judgeStored(stack, traffic.durations);
  await audits(session);
  const { points, refused } = traffic.durations;
  return {
    options,
    session: session.text,
    commands: session.commands,
    tables: await stack
      .query<{ name: string }>("SHOW TABLES LIKE 'shadow%'")
      .then((rows) => rows.map(({ name }) => name)),
    before,
    outOfTurn: outOfTurn(before),
    wrong: countByTable(before.wrong),
    different: Object.fromEntries(differences.map(({ name, different }) => [name, different])),
    otherDifferences: differences.reduce((sum, { onOneSide }) => sum + onOneSide, 0),
    after,
    pointsBack: [...points.values()].filter(({ timeNs }) => timeNs > BigInt(backMs) * NS_PER_MS).length,
    durationsSent: points.size + [...refused.values()].reduce((sum, items) => sum + items, 0),
    durationsRefused: refused,
    others,
    window,
  };
}

/** The release with the bug, and how it shows. */
async function breaks(incident: IncidentStack, session: Session, { bugS }: IncidentOptions): Promise<number> {
  session.heading('A release of the normalizer with a bug is rolled out to track v1');
  session.say(`In it one line of \`${UNIT_BUG.source}\` is another: milliseconds are taken for microseconds.`);
  session.block('diff', `-  ${UNIT_BUG.line}\n+  ${UNIT_BUG.instead}`);
  const fromMs = Date.now();
  await incident.release('with the bug');
  const releasedMs = Date.now();
  session.say('Nothing fails, and clients go on as before.');
  await pause(Math.max(0, bugS * 1_000 - (Date.now() - releasedMs)));
  session.heading('A user asks why all queues have become a thousand times faster');
  session.say('The operator looks at one metric over time.');
  const bucket = bugS >= 120 ? '1 MINUTE' : '5 SECOND';
  await session.query(
    `SELECT toStartOfInterval(TimeUnix, INTERVAL ${bucket}) AS time, count() AS points, min(Value) AS least, max(Value) AS most, any(MetricUnit) AS unit\nFROM otel_metrics_gauge WHERE TenantId = 'acme' AND MetricName = 'incident.queue.wait' GROUP BY time ORDER BY time`,
  );
  session.say(
    'The values fall by a factor of 1,000 with the release, and the unit stays `s`: it is the release. The pipe itself is well: all is ready, nothing is dead-lettered, the books balance.',
  );
  await session.ingestctl('status', '--tracks', 'v1,v2');
  await session.ingestctl('dlq', 'list');
  await balances(session, 'acme');
  return fromMs;
}

/** Track v2 has the release before, which has not the bug: first a part of one tenant, then all. */
async function shifts(stack: TestStack, session: Session): Promise<void> {
  session.heading('Track v2 has the mended release; a quarter of one tenant goes there first');
  await session.done('rollout', 'set', 'acme', '--to', 'v2', '--percent', '25', '--yes');
  const newest =
    "FROM otel_metrics_gauge WHERE TenantId = 'acme' AND MetricName = 'incident.queue.wait' AND TimeUnix > now64(9) - INTERVAL 4 SECOND";
  await stack.until<{ n: string }>(
    `SELECT uniqExact(bitShiftRight(RawPosition, 54)) AS n ${newest}`,
    ({ n }) => Number(n) === 2,
  );
  session.say(
    'What v2 stores of the same metric is right again (the bits of `RawPosition` above the 54th are the track):',
  );
  await session.query(
    `SELECT concat('v', toString(bitShiftRight(RawPosition, 54))) AS track, count() AS points, min(Value) AS least, max(Value) AS most\n${newest} GROUP BY track ORDER BY track`,
  );
  session.heading('All tenants go to v2, without a restart');
  for (const tenant of TENANTS) await session.done('rollout', 'set', tenant, '--to', 'v2', '--percent', '100', '--yes');
  await session.ingestctl('rollout', 'status');
  // What v1 has taken before goes through its normalizer, with the bug, to the end.
  await stack.until<{ n: string }>(
    "SELECT count() AS n FROM otel_metrics_gauge WHERE startsWith(MetricName, 'incident.') AND bitShiftRight(RawPosition, 54) = 2",
    ({ n }) => Number(n) > 0,
  );
}

/** The times between which v1 had the bug and traffic, with some to spare on both sides. */
async function windowOf(fromMs: number, session: Session): Promise<readonly [string, string]> {
  const toMs = Math.ceil((Date.now() + 2_000) / 1_000) * 1_000;
  const text = (ms: number) => new Date(ms).toISOString().replace('.000Z', 'Z');
  const window = [text(Math.floor((fromMs - 3_000) / 1_000) * 1_000), text(toMs)] as const;
  while (Date.now() < toMs + 500) await pause(100);
  session.heading('The window of v1 is replayed with the mended transcoder');
  session.say(
    'Nothing goes through v1 any more, and what went is stored: there is no lag, which `shadow compare` would refuse.',
  );
  await untilDrained(session);
  await session.ingestctl('lag', '--tracks', 'v1');
  session.say(
    `What was written is still wrong. The window is from a little before the release (${window[0]}) to a little after the last tenant was shifted (${window[1]}): what is right in it already makes no difference. \`ingestctl\` has the transcoder of the mended release.`,
  );
  return window;
}

/** Waits until v1's groups are through with everything. */
async function untilDrained(session: Session): Promise<void> {
  for (const deadline = Date.now() + DRAINED_MS_MAX; Date.now() < deadline; await pause(POLL_MS)) {
    const lags = JSON.parse((await session.ask('--json', 'lag', '--tracks', 'v1')).out) as { lag: number }[];
    if (lags.every(({ lag }) => lag === 0)) return;
  }
}

async function replays(
  stack: TestStack,
  session: Session,
  traffic: Traffic,
  [from, to]: readonly [string, string],
): Promise<{ id: string; before: Judged; differences: readonly Difference[] }> {
  const before = await judgeStored(stack, traffic.durations, BigInt(Date.parse(to)) * NS_PER_MS);
  const words = ['replay', '--from', from, '--to', to, '--shadow', '--track', 'v1'];
  await session.ingestctl(...words, '--dry-run');
  session.say('The offsets, tenants and times are those of the incident, and only shadow tables are written:');
  const { out } = await session.done(...words, '--yes');
  const id = SHADOW_ID.exec(out)?.[1];
  if (id === undefined) throw new Error(`the replay said no id: ${out}`);
  session.heading('What differs');
  const compared = await session.ingestctl('shadow', 'compare', id, '--examples', '1');
  session.say(
    'Only points of metrics are different, none is missing and none too many; each example has its value a thousand times too small in live. Spans, log records and counts are the same.',
  );
  return { id, before, differences: readDifferences(compared.out) };
}

const DIFFERENCE = /^(otel_\w+) +(\S+) +(\d+) +(\d+) +(\d+)$/gm;

/** In the order of their names. */
function readDifferences(out: string): readonly Difference[] {
  const lines = [...out.matchAll(DIFFERENCE)].map(([, table, tenant, different, onlyLive, onlyShadow]) => ({
    name: `${table} ${tenant}`,
    different: Number(different),
    onOneSide: Number(onlyLive) + Number(onlyShadow),
  }));
  return lines.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function promotes(session: Session, id: string): Promise<void> {
  session.heading('Promote, while traffic goes on');
  await session.ingestctl('shadow', 'promote', id, '--yes');
  await session.ingestctl('shadow', 'compare', id);
  for (const tenant of TENANTS) await balances(session, tenant);
}

/** While data comes in an audit may see it between two tables, however often it reads: then it is run again. */
async function balances(session: Session, tenant: string): Promise<void> {
  for (let run = 0; run < AUDITS_MAX; run++) {
    const { status } = await session.ingestctl('audit', '--tenant', tenant, '--tracks', 'v1,v2');
    if (status === 0) return;
  }
}

/** v1 gets the mended release, too, and the tenants go back. @returns when the last one was back */
async function ends(incident: IncidentStack, session: Session, id: string): Promise<number> {
  session.heading('The end: v1 gets the mended release, the tenants go back, the shadow is dropped');
  await incident.release('mended');
  for (const tenant of TENANTS) await session.done('rollout', 'back', tenant, '--yes');
  const backMs = Date.now();
  await session.ingestctl('shadow', 'drop', id, '--yes');
  await session.ingestctl('shadow', 'list');
  await pause(SETTLE_MS);
  return backMs;
}

async function audits(session: Session): Promise<void> {
  session.heading('Traffic has ended, and everything is stored');
  for (const tenant of TENANTS) await session.ingestctl('audit', '--tenant', tenant, '--tracks', 'v1,v2');
}
