import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Machine } from '@weir/testkit';
import { type Goal, isSustained, type LoadSpec, type PointResult, type StackSpec } from './point.ts';

/** bench/results/capacity.json. */
export interface CapacityFile {
  readonly machine: Machine;
  readonly goal: Goal;
  /** Points by part. */
  readonly parts: Readonly<Record<string, readonly PointResult[]>>;
}

export function readCapacity(path: string): CapacityFile | undefined {
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as CapacityFile) : undefined;
}

export function writeCapacity(path: string, file: CapacityFile): void {
  writeFileSync(path, `${JSON.stringify(file, null, 1)}\n`);
}

/** A point that was measured already on such a machine, under the same name, round, commit, stack and load, on a stack as warm. */
export function keptPoint(
  file: CapacityFile,
  part: string,
  spec: { name: string; round: number; commit: string; stack: StackSpec; load: LoadSpec },
  warmUpS = 0,
): PointResult | undefined {
  const same = ({ name, round, commit, stack, load }: typeof spec) =>
    JSON.stringify([name, round, commit, stack, load]);
  const found = file.parts[part]?.find((point) => point.cpu === file.machine.cpu && same(point) === same(spec));
  return (found?.loadedBeforeS ?? 0) >= warmUpS ? found : undefined;
}

/** With a point added to a part; points of other commits and machines go. */
export function withPoint(file: CapacityFile, part: string, point: PointResult): CapacityFile {
  const others = (file.parts[part] ?? []).filter(
    ({ name, round, load, commit, cpu }) =>
      commit === point.commit &&
      cpu === point.cpu &&
      !(name === point.name && round === point.round && load.rate === point.load.rate),
  );
  return { ...file, parts: { ...file.parts, [part]: [...others, point] } };
}

/** The highest rate that met the goal, 0 where none is kept. Of a part, and of the points that are named so. */
export function highestSustained(file: CapacityFile, part = 'rate', name?: string): number {
  const points = (file.parts[part] ?? []).filter((point) => name === undefined || point.name === name);
  const rates = points.filter((point) => isSustained(point, file.goal)).map(({ load }) => load.rate);
  return Math.max(0, ...rates);
}
