import type { Log } from '@weir/delivery';
import { followTopic } from '@weir/flow';
import type { Clock, Component } from '@weir/pipeline';
import {
  CONTROL_TOPICS,
  type DemandReport,
  decodeDemandReport,
  encodeDemandReport,
  type FlowReport,
} from '@weir/records';
import type { LimitShare, Tenant } from '@weir/tenancy';
import type { Shares } from '../exports.ts';
import { DemandMeter } from './demand-meter.ts';
import { FairShares } from './fair-shares.ts';
import { LiveEdges } from './live-edges.ts';
import { SharedLimits } from './shared-limits.ts';

const PARTITION = 0;
const EVERY_MS = 1_000;
const GOODBYE_MS = 1_000;

/** What the demand needs of the world. */
export interface DemandParts {
  readonly log: Log;
  readonly clock: Clock;
  /** Random id of this process, 16 hex digits. */
  readonly edge: string;
  readonly track: string;
  readonly tenant: (name: string) => Tenant | undefined;
  /** The report of who decides how full the pipe is. */
  readonly fullest: () => FlowReport | undefined;
  readonly onFault: (error: unknown) => void;
}

/**
 * What the tenants want of this edge, told to all edges every second on weir.demand, and what follows from what they all tell:
 * the shares of global limits, and of a pipe that is full. Kafka may be away: then only limits are shared, in equal parts.
 */
export class Demand implements Component, Shares {
  readonly name = 'demand';
  readonly meter = new DemandMeter();
  readonly #parts: DemandParts;
  readonly #edges: LiveEdges;
  readonly #limits: SharedLimits;
  readonly #fair: FairShares;
  readonly #following: Component;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #lookedMs: number;

  constructor(parts: DemandParts) {
    const { log, clock, edge, tenant, onFault } = parts;
    this.#parts = parts;
    this.#edges = new LiveEdges(edge);
    this.#limits = new SharedLimits(edge, tenant);
    this.#fair = new FairShares(edge, tenant);
    this.#lookedMs = clock.nowMs();
    const topic = { topic: CONTROL_TOPICS.demand, name: 'demand', onFault };
    this.#following = followTopic(log, clock, topic, ({ value }) => {
      const decoded = decodeDemandReport(value);
      if (decoded.ok) this.#edges.take(decoded.value, clock.nowMs());
    });
  }

  ofLimits(tenant: Tenant): LimitShare {
    return this.#limits.of(tenant);
  }

  takeOfPipe(tenant: Tenant, bytes: number): number | undefined {
    return this.#fair.limited === 0 ? undefined : this.#fair.take(tenant.name, bytes, this.#parts.clock.nowMs());
  }

  giveBack(tenant: Tenant, bytes: number): void {
    this.#fair.giveBack(tenant.name, bytes);
  }

  /** Live edges of all tracks as far as is known, this one included. */
  get edges(): number {
    return this.#edges.count(this.#parts.clock.nowMs());
  }

  /** Tenants that are held to their share of a full pipe. */
  get limited(): number {
    return this.#fair.limited;
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#following.start(signal);
    this.#running = this.#run();
  }

  async stop(signal: AbortSignal): Promise<void> {
    if (this.#running === undefined) return;
    this.#stopping.abort();
    await this.#running;
    this.#running = undefined;
    const waited = this.#parts.clock.sleep(GOODBYE_MS, signal).catch(() => undefined);
    await Promise.race([this.#send(true, signal), waited]);
    await this.#following.stop(signal);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let sending: Promise<void> | undefined;
    while (!signal.aborted) {
      await this.#parts.clock.sleep(EVERY_MS, signal).catch(() => undefined);
      if (signal.aborted) break;
      // A report that Kafka is slow to take must not keep the shares from following what is known.
      sending ??= this.#send(false, signal).finally(() => {
        sending = undefined;
      });
      this.#refresh();
    }
    await sending;
  }

  #refresh(): void {
    const nowMs = this.#parts.clock.nowMs();
    this.#limits.refresh(this.#edges, nowMs);
    const hearing = this.#edges.hearing(nowMs);
    if (hearing === 'held') return;
    const ofTrack = this.#edges.reports(nowMs).filter(({ track }) => track === this.#parts.track);
    this.#fair.refresh(hearing === 'heard' ? this.#parts.fullest() : undefined, ofTrack, nowMs);
  }

  async #send(leaving: boolean, signal: AbortSignal): Promise<void> {
    const { log, clock, edge, track, onFault } = this.#parts;
    const nowMs = clock.nowMs();
    const seconds = Math.max(0.001, (nowMs - this.#lookedMs) / 1_000);
    this.#lookedMs = nowMs;
    const atMs = Number(clock.wallNs() / 1_000_000n);
    const report: DemandReport = { edge, track, ...this.meter.look(seconds), leaving, atMs };
    const record = { key: Buffer.from(edge), value: encodeDemandReport(report), meta: null };
    try {
      await log.append(CONTROL_TOPICS.demand, PARTITION, [record], signal);
    } catch (error) {
      if (!signal.aborted) onFault(error);
    }
  }
}
