import { GroupWorkers, type Log, REVISIONS } from '@weir/delivery';
import { PartitionWorker as NormalizerWorker } from '@weir/normalizer';
import { CONTROL_TOPICS } from '@weir/records';
import type { PartitionWorker as SinkWorker } from '@weir/sink';
import { SimulatedLog, VirtualTime } from '@weir/testkit';
import { deadIdsOf, misbookedOf } from './audit.ts';
import { PowerFailure } from './power-failure.ts';
import type { Rule } from './rules.ts';
import { idNumber } from './simulated-blocks.ts';
import { bookedOf, isBooked } from './simulated-books.ts';
import { SimulatedClickHouse } from './simulated-clickhouse.ts';
import { SimulatedEdge } from './simulated-edge.ts';
import { SimulatedGroup } from './simulated-group.ts';
import { normalizeIds } from './simulated-normalizer.ts';
import { SimulatedProcess } from './simulated-process.ts';
import { readingOf } from './simulated-reading.ts';
import { createSimulatedSink } from './simulated-sink.ts';
import { endOf } from './troubled-ids.ts';

/** What one run of a world showed. */
export interface Verdict {
  readonly acked: number;
  /** Acknowledged, and neither in a table nor in the DLQ (I1). */
  readonly lost: number;
  /** In a table twice (I3). */
  readonly doubled: number;
  /** In a table and in the DLQ: each row is decided once (I3). */
  readonly both: number;
  /** In the DLQ, and not so in the books, or the other way round (I5). */
  readonly unbooked: number;
  /** In a table and never sent (I2). */
  readonly alien: number;
  /**
   * Ids that are wrong in the books (I5): accepted and not stored or dead-lettered, or the other way round; refused, acked or
   * unanswered against what is stored and what the client was told; or none of these though their edge was not killed.
   */
  readonly misbooked: number;
  /** Cuts of several partitions that were stored, and those of them that were made again with what had been refused. */
  readonly together: number;
  readonly togetherRefused: number;
  /** Whether the logs had not been read to their ends when the time was up (I7). */
  readonly stuck: boolean;
}

const RAW = 'raw';
const ROWS = 'rows';
const ACTIVE_MS = 6_000;
const CALM_MS = 120_000;
const LOG_FAULTS = { answerLost: 0.08, late: 0.06, lost: 0.04 };
const INSERT_FAULTS = { answerLost: 0.06, late: 0.05, lost: 0.04 };
const COMMIT_FAULTS = { answerLost: 0.01, late: 0.01 };
const NONE = { answerLost: 0, late: 0, lost: 0 };
/** Until some time before this the sinks that start know nothing of lanes, or of cuts of several partitions. */
const UPGRADED_MS_MAX = 4_000;
const REWIND_SHARE = 0.04;
/** Where it is looked for what only shows when a group has lost a position, while a cut of several partitions is open. */
const REWIND_SHARE_OFTEN = 0.3;
/** Rules that only show where the power fails. */
const POWER_RULES: ReadonlySet<Rule | undefined> = new Set<Rule>(['filled', 'flushed', 'carried']);
/** While nobody sends: how often normalizers come, before Kafka lets go of what they wrote, and after. */
const SILENT_TAKE_OVERS = [4, 1];
/** Exports that an edge does not let in, appends that Kafka refuses, and exports behind which an edge stands still. */
const OVER_LIMIT_SHARE = 0.02;
const REFUSED_SHARE = 0.01;
const FREEZE_SHARE = 0.01;
/** Partitions by seed: with several edges choose between lanes, and sinks cut them together. */
const PARTITIONS = [[0], [0, 1], [0], [0, 1, 2]] as const;

/** One service: its group, how a process of it is put together, and those that run. */
interface Service {
  readonly name: string;
  readonly group: SimulatedGroup;
  readonly create: (process: SimulatedProcess) => GroupWorkers<NormalizerWorker | SinkWorker>;
  readonly running: {
    readonly process: SimulatedProcess;
    readonly workers: GroupWorkers<NormalizerWorker | SinkWorker>;
  }[];
}

/**
 * Edges, normalizers and sinks on one to three partitions, made of the services' own code; around them a log that loses answers
 * and appends late, groups that give partitions away, a database that loses answers, and processes that are killed,
 * paused, stopped and started. The same seed gives the same run.
 */
export class World {
  readonly #time: VirtualTime;
  readonly #log: SimulatedLog;
  readonly #clickhouse: SimulatedClickHouse;
  readonly #services: readonly Service[];
  readonly #partitions: readonly number[];
  readonly #without: Rule | undefined;
  readonly #upgradedMs: number;
  readonly #formerRevision: number;
  /** Of services, all that were started, those too that are told to stop. */
  readonly #processes: SimulatedProcess[] = [];
  readonly #edges: { readonly edge: SimulatedEdge; killed: boolean }[] = [];
  readonly #trace: (line: string) => void;
  #names = 0;
  #ids = 0;
  readonly #fallsSilent: boolean;
  readonly #losesPower: boolean;
  #failure: PowerFailure | undefined;
  #dark = false;
  #calm = false;
  #silent = false;
  #together = 0;
  #togetherRefused = 0;

  constructor(
    seed: number,
    options: {
      readonly without?: Rule | undefined;
      readonly trace?: (line: string) => void;
      /** Nobody sends for a while, and Kafka lets go of all rows. */
      readonly fallsSilent?: boolean | undefined;
      /** All processes end at once, and Kafka loses the ends of logs. */
      readonly losesPower?: boolean | undefined;
    } = {},
  ) {
    this.#fallsSilent = options.fallsSilent ?? options.without === 'retained';
    this.#losesPower = options.losesPower ?? POWER_RULES.has(options.without);
    this.#time = new VirtualTime(seed);
    this.#without = options.without;
    this.#partitions = PARTITIONS[seed % PARTITIONS.length]!;
    this.#log = new SimulatedLog(this.#time, LOG_FAULTS);
    this.#trace = options.trace ?? (() => undefined);
    const onApplied = (token: string, ids: string) => this.#say('clickhouse', `has ${token}: ${ids}`);
    this.#clickhouse = new SimulatedClickHouse(this.#time, INSERT_FAULTS, options.without, onApplied);
    const rawGroup = new SimulatedGroup(this.#time, COMMIT_FAULTS, this.#partitions);
    const seams = { isAgreed: options.without !== 'agree', isAtomic: options.without !== 'atomic' };
    const rowsGroup = new SimulatedGroup(this.#time, COMMIT_FAULTS, this.#partitions, seams);
    // In half of the runs there is none of them.
    this.#upgradedMs = Math.max(0, this.#time.random() * 2 - 1) * UPGRADED_MS_MAX;
    this.#formerRevision = this.#time.random() < 0.5 ? REVISIONS.first : REVISIONS.lanes;
    this.#services = [
      { name: 'normalizer', group: rawGroup, create: (process) => this.#normalizer(process, rawGroup), running: [] },
      { name: 'sink', group: rowsGroup, create: (process) => this.#sink(process, rowsGroup), running: [] },
    ];
  }

  async run(): Promise<Verdict> {
    for (let i = 0; i < 2; i++) void this.#runEdges();
    for (const service of this.#services) void this.#trouble(service);
    if (this.#fallsSilent) void this.#fallSilent();
    if (this.#losesPower) void this.#losePower();
    const activeMs = this.#fallsSilent ? 3 * ACTIVE_MS : ACTIVE_MS;
    await this.#time.run(activeMs);
    this.#calm = true;
    this.#log.faults = NONE;
    this.#clickhouse.faults = NONE;
    for (const { edge } of this.#edges) edge.process.resume();
    for (const service of this.#services) {
      service.group.faults = NONE;
      for (const { process } of service.running) process.resume();
      if (service.running.length === 0) this.#start(service);
    }
    // Late appends and late inserts arrive within this.
    const settledMs = activeMs + 4_000;
    await this.#time.run(CALM_MS, () => this.#time.nowMs() > settledMs && this.#drained());
    return this.#verdict();
  }

  #verdict(): Verdict {
    const { counts } = this.#clickhouse;
    const dead = deadIdsOf(this.#log.records(CONTROL_TOPICS.dlq, 0));
    const answers = this.#edges.flatMap(({ edge }) => [...edge.answers]);
    const acked = answers.filter(([, answer]) => answer === true);
    const lost = acked.filter(([id]) => (this.#failure?.isOwed(id) ?? true) && !counts.has(id) && !dead.has(id)).length;
    const doubled = [...counts].filter(([id, count]) => (this.#failure?.isOnce(id) ?? true) && count > 1).length;
    const both = [...dead.keys()].filter((id) => (this.#failure?.isOnce(id) ?? true) && counts.has(id)).length;
    // What the books say of the time before a power failure is gone with the records that said it.
    const isBookedAll = this.#failure === undefined;
    const unbooked = isBookedAll ? this.#unbooked([...dead.values()].filter(Boolean).length) : 0;
    const sent = new Set(answers.map(([id]) => id));
    const alien = [...counts.keys()].filter((id) => !sent.has(id) && !isBooked(id)).length;
    const misbooked = isBookedAll ? this.#misbooked([...dead.keys()]) : 0;
    const [together, togetherRefused] = [this.#together, this.#togetherRefused];
    const showed = { together, togetherRefused, stuck: !this.#drained() };
    return { acked: acked.length, lost, doubled, both, unbooked, alien, misbooked, ...showed };
  }

  #misbooked(dead: readonly string[]): number {
    const { counts } = this.#clickhouse;
    const there = new Set([...counts.keys(), ...dead].filter((id) => !isBooked(id)).map(idNumber));
    const parts = {
      booked: (id: string) => bookedOf(counts, idNumber(id)),
      isThere: (id: string) => there.has(idNumber(id)),
      say: (what: string) => this.#say('books', what),
    };
    return this.#edges.reduce((sum, { edge, killed }) => sum + misbookedOf(edge, killed, parts), 0);
  }

  /** How far the books are from that many dead rows, which were all booked as stored before. */
  #unbooked(dead: number): number {
    const { booked } = this.#clickhouse;
    return Math.abs((booked.get('dead_lettered') ?? 0) - dead) + Math.abs((booked.get('stored') ?? 0) + dead);
  }

  #drained(): boolean {
    const [raw, rows] = this.#services.map(({ group }) => group);
    return this.#partitions.every(
      (partition) =>
        (raw!.committed(partition)?.offset ?? 0) === this.#log.records(RAW, partition).length &&
        (rows!.committed(partition)?.offset ?? 0) === this.#log.records(ROWS, partition).length,
    );
  }

  #name(kind: string): string {
    return `${kind}-${++this.#names}`;
  }

  #owner(): string {
    return Math.floor(this.#time.random() * 2 ** 52)
      .toString(16)
      .padStart(16, '0');
  }

  /** Edges one after another, each until it is killed, told to stop, or the time is up; some stand still for a while. */
  async #runEdges(): Promise<void> {
    while (!this.#calm) {
      const entry = { edge: this.#edge(), killed: false };
      const { edge } = entry;
      this.#edges.push(entry);
      await edge.start();
      const endsMs = this.#time.nowMs() + 300 + this.#time.random() * 2_000;
      while (!this.#calm && !edge.process.dead && this.#time.nowMs() < endsMs) {
        if (!this.#silent) void edge.send(this.#newIds(), this.#time.random() < OVER_LIMIT_SHARE);
        if (this.#time.random() < FREEZE_SHARE) {
          this.#tell(edge.process, 'is paused');
          edge.process.pause(50 + this.#time.random() * 1_000);
        }
        await this.#time.sleep(this.#time.random() * 60);
      }
      // Where the power failed others take its place.
      if (this.#calm || edge.process.dead) return;
      entry.killed = this.#time.random() < 0.5;
      this.#tell(edge.process, entry.killed ? 'is killed' : 'is told to stop');
      if (entry.killed) edge.process.kill();
      else void edge.stop();
    }
  }

  #edge(): SimulatedEdge {
    return new SimulatedEdge({
      log: this.#log,
      process: new SimulatedProcess(this.#name('edge'), this.#time),
      time: this.#time,
      topic: RAW,
      partitions: this.#partitions.length,
      owner: this.#owner(),
      without: this.#without,
      refusedShare: () => (this.#calm ? 0 : REFUSED_SHARE),
    });
  }

  #newIds(): string[] {
    const count = 1 + Math.floor(this.#time.random() * 2);
    return Array.from({ length: count }, () => `${this.#ids++}${endOf(this.#time.random())}`);
  }

  #normalizer(process: SimulatedProcess, group: SimulatedGroup): GroupWorkers<NormalizerWorker> {
    const membership = group.membership(process);
    const log: Log = process.log(this.#log);
    return new GroupWorkers(
      membership,
      process.clock,
      this.#events(process),
      (partition) =>
        new NormalizerWorker(partition, {
          log,
          membership,
          normalizer: { run: normalizeIds },
          unknownTenants: { settle: async () => undefined },
          newOwner: () => this.#owner(),
          clock: process.clock,
          track: 'v1',
          rawTopic: RAW,
          rowsTopic: ROWS,
          onTakeOver: () => this.#tell(process, 'owns the rows log'),
          onLost: (_partition, records) => this.#tell(process, `lost ${records} raw records`),
          onTranscoded: () => undefined,
          onProduced: (rows) => this.#tell(process, `appended ${rows} rows`),
        }),
    );
  }

  #sink(process: SimulatedProcess, group: SimulatedGroup): GroupWorkers<SinkWorker> {
    const former = this.#time.nowMs() < this.#upgradedMs ? this.#formerRevision : undefined;
    return createSimulatedSink({
      ...{ process, group, log: this.#log, clickhouse: this.#clickhouse, topic: ROWS },
      revision: former ?? REVISIONS.several,
      reading: readingOf(former, this.#without),
      events: this.#events(process),
      tell: (what) => this.#tell(process, what),
      onStored: ({ ranges, refused }) => {
        if (ranges.length < 2) return;
        this.#together++;
        if (refused.size > 0) this.#togetherRefused++;
      },
    });
  }

  #events(process: SimulatedProcess) {
    return {
      failed: (_partition: number, error: unknown) => this.#tell(process, `failed: ${String(error)}`),
      fatal: (error: unknown) => {
        throw error;
      },
      owned: (partitions: readonly number[]) => this.#tell(process, partitions.length > 0 ? 'assigned' : 'revoked'),
    };
  }

  #tell(process: SimulatedProcess, what: string): void {
    this.#say(process.name, what);
  }

  #say(who: string, what: string): void {
    this.#trace(`${this.#time.nowMs().toFixed(1).padStart(9)}  ${who}  ${what}`);
  }

  /** Starts, kills, pauses and stops the processes of a service. */
  async #trouble(service: Service): Promise<void> {
    this.#start(service);
    while (!this.#calm) {
      await this.#time.sleep(50 + this.#time.random() * 700);
      if (this.#calm) return;
      if (this.#dark) continue;
      const { running } = service;
      const chosen = running[Math.floor(this.#time.random() * running.length)];
      const chance = this.#time.random();
      const rewindShare = this.#without === 'behind' ? REWIND_SHARE_OFTEN : REWIND_SHARE;
      if (chance < rewindShare && service.name === 'sink') await this.#rewind(service);
      else if (chosen === undefined || chance < 0.3) this.#start(service);
      else if (chance < 0.55) {
        this.#tell(chosen.process, 'is killed');
        chosen.process.kill();
        running.splice(running.indexOf(chosen), 1);
      } else if (chance < 0.85) {
        this.#tell(chosen.process, 'is paused');
        chosen.process.pause(100 + this.#time.random() * 3_000);
      } else {
        this.#tell(chosen.process, 'is told to stop');
        running.splice(running.indexOf(chosen), 1);
        void chosen.workers.stop(new AbortController().signal).catch(() => undefined);
      }
    }
  }

  /** Nobody sends for so long that Kafka lets go of all rows, twice, while normalizers come and go; then all goes on. */
  async #fallSilent(): Promise<void> {
    await this.#time.sleep(ACTIVE_MS / 2);
    this.#silent = true;
    const normalizers = this.#services[0]!;
    for (const takeOvers of SILENT_TAKE_OVERS) {
      while (!this.#drained()) await this.#time.sleep(20);
      this.#say('kafka', 'lets go of all rows');
      for (const partition of this.#partitions) this.#log.letGo(ROWS, partition);
      for (let i = 0; i < takeOvers; i++) {
        for (const { process } of normalizers.running.splice(0)) process.kill();
        this.#start(normalizers);
        await this.#time.sleep(300);
      }
    }
    this.#silent = false;
  }

  /** Everything ends at once, logs lose their ends, and before anything starts again they are filled up. */
  async #losePower(): Promise<void> {
    await this.#time.sleep(ACTIVE_MS / 2);
    this.#dark = true;
    this.#say('everything', 'ends');
    for (const process of this.#processes.splice(0)) process.kill();
    for (const { running } of this.#services) running.length = 0;
    for (const entry of this.#edges) {
      entry.killed ||= !entry.edge.process.dead;
      entry.edge.process.kill();
    }
    const [raw, rows] = this.#services.map(({ group }) => group);
    const logs = { log: this.#log, time: this.#time, rawTopic: RAW, rowsTopic: ROWS, partitions: this.#partitions };
    const say = (what: string) => this.#say('kafka', what);
    const isFlushed = this.#without !== 'flushed';
    this.#failure = new PowerFailure({ ...logs, raw: raw!, rows: rows!, isFlushed, say }, this.#ids);
    if (this.#without !== 'filled') await this.#failure.fill();
    this.#dark = false;
    for (const service of this.#services) this.#start(service);
    for (let i = 0; i < 2; i++) void this.#runEdges();
  }

  /** All sinks are ended, and before any starts again the group's offset is put back. */
  async #rewind(service: Service): Promise<void> {
    for (const { process } of service.running.splice(0)) process.kill();
    await this.#time.sleep(100);
    if (this.#dark) return;
    if (service.group.rewind()) this.#say('operator', 'puts the offset of the sinks back');
    this.#start(service);
  }

  #start(service: Service): void {
    const process = new SimulatedProcess(this.#name(service.name), this.#time);
    const workers = service.create(process);
    this.#processes.push(process);
    service.running.push({ process, workers });
    void workers.start(new AbortController().signal).catch(() => undefined);
  }
}
