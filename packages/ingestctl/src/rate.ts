import { UsageError } from './outside.ts';

const RATE_MAX = 10_000_000;

/** What `--rate` is, for the help of each command that has it. */
export const RATE_HELP = 'items a second, or max for no bound';

/** `--rate`: items a second; infinite for `max`. @throws UsageError */
export function readRate(text: string): number {
  if (text === 'max') return Number.POSITIVE_INFINITY;
  const value = Number(text);
  if (Number.isFinite(value) && value >= 1 && value <= RATE_MAX) return value;
  throw new UsageError(`--rate must be items a second, from 1 to ${RATE_MAX}, or max`);
}
