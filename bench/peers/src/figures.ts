import type { RunResult } from './measure-run.ts';
import { type Spread, spreadOf } from './statistics.ts';
import { STAGES, type Stage } from './systems/system.ts';

/** A figure of one run; undefined where the run has none. */
export type Figure = (run: RunResult) => number | undefined;

const perMillion = (cpuS: number, { stored }: RunResult): number | undefined =>
  stored.distinct > 0 ? (cpuS / stored.distinct) * 1e6 : undefined;

/** CPU seconds of a stage for each million items that arrived; undefined where the system has no such stage. */
export function stageCost(stage: Stage): Figure {
  return (run) => {
    const parts = run.parts.filter((part) => part.stage === stage);
    if (parts.length === 0) return undefined;
    return perMillion(
      parts.reduce((sum, { cpuS }) => sum + cpuS, 0),
      run,
    );
  };
}

/** CPU seconds of all processes for each million items that arrived. */
export const wholeCost: Figure = (run) =>
  perMillion(
    run.parts.reduce((sum, { cpuS }) => sum + cpuS, 0),
    run,
  );

/** The largest resident memory of a stage's processes, MiB, added up. */
export function stageMemory(stage: Stage): Figure {
  return ({ parts }) => {
    const own = parts.filter((part) => part.stage === stage);
    return own.length === 0 ? undefined : own.reduce((sum, { peakMib }) => sum + peakMib, 0);
  };
}

/** Items a second from the first export until all that arrived had. */
export const throughput: Figure = ({ stored, arrivedS }) => stored.distinct / arrivedS;

/** Items a second that were answered. */
export const answered: Figure = ({ acceptedItems, answeredS }) => acceptedItems / answeredS;

/** A figure over runs; undefined where none has it. */
export function overRuns(runs: readonly RunResult[], figure: Figure): Spread | undefined {
  const values = runs.map(figure).filter((value) => value !== undefined);
  return values.length === 0 ? undefined : spreadOf(values);
}

/** The figure of one system over that of another, run beside run. */
export function ratio(runs: readonly RunResult[], figure: Figure, own: string, peer: string): Spread | undefined {
  const values: number[] = [];
  for (const run of runs.filter(({ system }) => system === own)) {
    const beside = runs.find(({ system, pair }) => system === peer && pair === run.pair);
    const [mine, theirs] = [figure(run), beside === undefined ? undefined : figure(beside)];
    if (mine !== undefined && theirs !== undefined && theirs > 0) values.push(mine / theirs);
  }
  return values.length === 0 ? undefined : spreadOf(values);
}

export const STAGE_TITLES: Readonly<Record<Stage, string>> = {
  proxy: 'Envoy',
  edge: 'first hop',
  kafka: 'Kafka',
  sink: 'from Kafka on',
  clickhouse: 'ClickHouse',
};

/** Stages that any of the runs has. */
export function stagesOf(runs: readonly RunResult[]): readonly Stage[] {
  return STAGES.filter((stage) => runs.some(({ parts }) => parts.some((part) => part.stage === stage)));
}
