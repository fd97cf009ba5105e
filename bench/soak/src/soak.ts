import { SlowClients } from '@weir/bench-faults';
import { Journal, type LoadTotals, runLoad, verify } from '@weir/bench-load';
import { pause, type TestStack } from '@weir/testkit';
import { Agent } from 'undici';
import type { Attack, Target } from './attacks/attack.ts';
import { BODY_ATTACKS } from './attacks/bodies.ts';
import { CONNECTION_ATTACKS } from './attacks/connections.ts';
import { MemoryWatch, median } from './memory-watch.ts';

export const ATTACKS: readonly Attack[] = [...BODY_ATTACKS, ...CONNECTION_ATTACKS];
export const SERVICES = ['edge', 'normalizer', 'sink', 'envoy'] as const;
/** Tenants of the honest clients, of the one that sends too much, and of the hostile ones. */
export const HONEST = ['demo', 'case-2', 'case-3', 'case-4'] as const;
export const GREEDY = 'limited';
export const HOSTILE = 'case-5';

const GREEDY_RATE = 100;
const SLOW = { connections: 50, sessions: 2, streams: 10 };
const SLOW_EVERY_MS = 30_000;
const STORED_MS_MAX = 60_000;
const SAMPLE_MS = 2_000;

export interface SoakOptions {
  readonly rounds: number;
  readonly roundS: number;
  /** Items a second of the honest clients together. */
  readonly rate: number;
}

/** What a part of the soak showed. */
export interface Round {
  readonly minute: number;
  readonly sent: number;
  readonly accepted: number;
  /** Items of honest clients that were answered otherwise, by answer. */
  readonly refused: Readonly<Record<string, number>>;
  readonly unsent: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly lost: number;
  readonly doubled: number;
  readonly misplaced: number;
  readonly alien: number;
  /** Median resident memory, MiB. */
  readonly memory: Readonly<Record<string, number>>;
  /** Processes that are not those of the beginning. */
  readonly restarted: readonly string[];
}

/** How the hostile clients were answered: times by attack and answer. */
export type Answers = Map<string, Map<string, number>>;

export interface SoakResult {
  readonly rounds: readonly Round[];
  readonly answers: Answers;
  /** Items of the tenant over its rate, by answer. */
  readonly greedy: ReadonlyMap<string, number>;
  /** Tenants whose books do not balance, with what the audit said. */
  readonly unbalanced: readonly string[];
}

/** Runs honest and hostile clients together, through Envoy and on the edge's own ports in turn. */
export async function runSoak(
  stack: TestStack,
  { rounds, roundS, rate }: SoakOptions,
  onRound: (round: Round) => void,
): Promise<SoakResult> {
  const before = pidsOf(stack);
  const memory = new MemoryWatch(() => pidsOf(stack), SAMPLE_MS);
  const ending = new AbortController();
  const answers: Answers = new Map();
  const greedy = new Map<string, number>();
  const hostile = [
    ...ATTACKS.map((attack) => repeat(stack, attack, answers, ending.signal)),
    stayOverRate(stack, greedy, ending.signal),
    staySlow(stack, answers, ending.signal),
  ];
  const results: Round[] = [];
  try {
    for (let number = 1; number <= rounds; number++) {
      const minute = (number * roundS) / 60;
      const honest = await honestRound(stack, roundS, rate);
      const samples = memory.take();
      const after = pidsOf(stack);
      const round: Round = {
        minute,
        ...honest,
        memory: Object.fromEntries([...samples].map(([name, values]) => [name, median(values)])),
        restarted: SERVICES.filter((name) => before[name] !== after[name]),
      };
      results.push(round);
      onRound(round);
    }
  } finally {
    ending.abort();
    memory.stop();
    await Promise.all(hostile);
  }
  return { rounds: results, answers, greedy, unbalanced: await unbalanced(stack) };
}

function pidsOf(stack: TestStack): Record<(typeof SERVICES)[number], number> {
  const pids = SERVICES.map((name) => [name, stack.pid(name)] as const);
  return Object.fromEntries(pids) as Record<(typeof SERVICES)[number], number>;
}

async function honestRound(
  stack: TestStack,
  seconds: number,
  rate: number,
): Promise<Omit<Round, 'minute' | 'memory' | 'restarted'>> {
  const journal = new Journal();
  const producers = HONEST.length * 6;
  const { run, totals } = await runLoad(
    {
      target: { ...stack.local.otlp, ca: stack.ca },
      tenants: HONEST.map((name) => ({ name, key: stack.key(name), weight: 1 })),
      producers,
      rate: rate / producers,
      seconds,
      itemsPerExport: 50,
      transports: ['http', 'grpc'],
      signals: ['traces', 'logs', 'metrics'],
      errors: 0.01,
      gzip: true,
      connections: 2,
      outstandingMax: 400,
    },
    { onFate: (fate) => journal.add(fate) },
  );
  const { lost, doubled, misplaced, alien } = await verify(stack.local.clickhouse, run, journal, STORED_MS_MAX);
  return { ...figuresOf(totals), lost, doubled, misplaced, alien };
}

function figuresOf(totals: LoadTotals): Pick<Round, 'sent' | 'accepted' | 'refused' | 'unsent' | 'p50Ms' | 'p99Ms'> {
  return {
    sent: totals.sentItems,
    accepted: totals.acceptedItems,
    refused: Object.fromEntries(totals.reasons),
    unsent: totals.unsentItems,
    p50Ms: totals.latency.getValueAtPercentile(50) / 1_000,
    p99Ms: totals.latency.getValueAtPercentile(99) / 1_000,
  };
}

/** Runs an attack again and again, through Envoy and past it in turn. */
async function repeat(stack: TestStack, attack: Attack, answers: Answers, signal: AbortSignal): Promise<void> {
  const agent = new Agent({ connect: { ca: stack.ca } });
  const common = { ca: stack.ca, key: stack.key(HOSTILE), agent };
  try {
    for (let time = 0; !signal.aborted; time++) {
      const { http, grpc } = time % 2 === 0 ? stack.local.otlp : stack.local.edge;
      const target: Target = { ...common, http: new URL(http), grpc: new URL(grpc) };
      count(answers, attack.name, await attack.run(target));
      await pause(attack.pauseMs);
    }
  } finally {
    await agent.close();
  }
}

/** A tenant that sends ten times what it may. */
async function stayOverRate(stack: TestStack, reasons: Map<string, number>, signal: AbortSignal): Promise<void> {
  const { totals } = await runLoad(
    {
      target: { ...stack.local.otlp, ca: stack.ca },
      tenants: [{ name: GREEDY, key: stack.key(GREEDY), weight: 1 }],
      producers: 4,
      rate: GREEDY_RATE / 4,
      seconds: 24 * 3_600,
      itemsPerExport: 5,
      transports: ['http', 'grpc'],
      signals: ['traces'],
      errors: 0,
      gzip: true,
      connections: 1,
      outstandingMax: 100,
    },
    { signal },
  );
  reasons.set('accepted', totals.acceptedItems);
  for (const [reason, items] of totals.reasons) reasons.set(reason, items);
}

/** Clients that send a byte now and then, until the edge ends them. */
async function staySlow(stack: TestStack, answers: Answers, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const clients = new SlowClients(stack, HOSTILE);
    clients.trickle(SLOW.connections);
    clients.stall(SLOW.sessions, SLOW.streams);
    for (let ms = 0; ms < SLOW_EVERY_MS + 5_000 && clients.open > 0 && !signal.aborted; ms += 250) await pause(250);
    for (const [answer, times] of clients.answers) {
      for (let i = 0; i < times; i++) count(answers, 'slow-bodies', answer);
    }
    clients.close();
  }
}

function count(answers: Answers, name: string, answer: string): void {
  const of = answers.get(name) ?? new Map<string, number>();
  of.set(answer, (of.get(answer) ?? 0) + 1);
  answers.set(name, of);
}

async function unbalanced(stack: TestStack): Promise<string[]> {
  const off: string[] = [];
  for (const tenant of [...HONEST, GREEDY, HOSTILE]) {
    try {
      await stack.ingestctl('audit', '--tenant', tenant);
    } catch (error) {
      off.push(`${tenant}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return off;
}
