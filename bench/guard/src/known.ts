import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** Ratios of the last run that was kept. */
export interface Known {
  readonly commit: string;
  readonly ratios: Readonly<Record<string, number>>;
}

/** A ratio that fell by more than this is marked. */
export const SLOWER_MAX = 0.15;

export function readKnown(path: string): Known | undefined {
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Known) : undefined;
}

export function writeKnown(path: string, known: Known): void {
  writeFileSync(path, `${JSON.stringify(known, null, 2)}\n`);
}

/** By how much a way got slower beside its reference, 0.2 for a fifth; negative where it got faster, 0 where nothing is known. */
export function slowerBy(ratio: number, known: number | undefined): number {
  return known === undefined ? 0 : 1 - ratio / known;
}

/** Names of what got slower than it may. */
export function slower(found: readonly { name: string; ratio: number }[], known: Known | undefined): string[] {
  return found.filter(({ name, ratio }) => slowerBy(ratio, known?.ratios[name]) > SLOWER_MAX).map(({ name }) => name);
}
