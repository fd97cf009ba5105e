import type { LoadSignal } from '@weir/bench-load';
import type { Unanswered } from '../closed-loop.ts';
import type { LoadTarget } from '../generator.ts';
import type { Database, Stored } from '../stored-rows.ts';

/** Stages of the path, in the order of the data; each process belongs to one. */
export const STAGES = ['proxy', 'edge', 'kafka', 'sink', 'clickhouse'] as const;
export type Stage = (typeof STAGES)[number];

/** One process of a system. */
export interface Part {
  readonly name: string;
  readonly stage: Stage;
  readonly pid: () => number;
}

/** A system that takes load. */
export interface Running {
  readonly target: LoadTarget;
  readonly parts: readonly Part[];
  /** Where it writes in the end; undefined where that is Kafka. */
  readonly database: Database | undefined;
  /** What says how much has arrived: rows, or messages where it ends in Kafka. */
  arrived(): Promise<number>;
  /** Which items of a run have arrived. */
  check(run: string, sentItems: number, notAccepted: readonly Unanswered[]): Promise<Stored>;
  /** Takes away what earlier loads have left where it writes. */
  empty(): Promise<void>;
  /** The end of each process's log, for what goes wrong. */
  logs(): string;
  stop(): Promise<void>;
}

/** What is measured. */
export interface System {
  readonly name: string;
  readonly title: string;
  /** How far the data goes. */
  readonly path: string;
  /** Whether its end is known by the number of rows; where it is Kafka, batches do not tell. */
  readonly countsItems: boolean;
  /** Which process an answer should wait for, and what to kill in the probe of a stage. */
  readonly durableIn: 'kafka' | 'clickhouse';
  /** The stages that have processes of its own. */
  readonly stages: readonly Stage[];
  /** Processes of the other stack, whose turn it is not. */
  readonly beside: () => readonly number[];
  start(signal: LoadSignal, run: string): Promise<Running>;
}
