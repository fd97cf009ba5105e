import { type Outside, UsageError } from './outside.ts';

/** The track that the services of this environment serve. */
export function trackOf(env: Outside['env']): string {
  return env.WEIR_TRACK || 'v1';
}

/** For options that may be given again: all that was given. */
export function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

/** What was given for an option of a closed set. @throws UsageError where something is not of it */
export function oneOf<T extends string>(option: string, given: readonly string[], all: readonly T[]): readonly T[] {
  const known = given.filter((value): value is T => (all as readonly string[]).includes(value));
  if (known.length !== given.length) throw new UsageError(`${option} must be one of ${all.join(', ')}`);
  return known;
}
