import { ANSWER_CASES, type AnswerCase } from './answer-case.ts';
import type { Measured, Transport } from './measure.ts';

/** A timer may be early by so much, and an answer and the next attempt on their way for so long, s. */
const EARLY_S = 0.05;
const LATE_S = 1;

/** How an exporter takes refusals, told from what it did with all of them. */
export interface Habits {
  readonly waits: 'never comes again' | 'as asked' | 'its own time, at least as asked' | 'its own time';
  /** After how many attempts, and how long after the first the last of them was, s. */
  readonly givesUp: { readonly attempts: number; readonly seconds: number };
}

/** @throws where a case is missing */
export function habitsOf(measured: readonly Measured[], transport: Transport): Habits {
  const own = measured.filter((each) => each.transport === transport);
  const asked = ANSWER_CASES.flatMap((answerCase) => waitsAsked(answerCase, own));
  const always = own.filter(({ answer }) => answer === 'rate-always' || answer === 'full-always');
  const longest = always.toSorted((a, b) => b.attempts - a.attempts)[0];
  if (longest === undefined) throw new Error(`${transport}: nothing was refused for ever`);
  const seconds = longest.waitsS.reduce((sum, wait) => sum + wait, 0);
  return { waits: describeWaits(asked), givesUp: { attempts: longest.attempts, seconds } };
}

/** Each wait beside what was asked for. */
function waitsAsked(
  { name, refusal }: AnswerCase,
  measured: readonly Measured[],
): readonly (readonly [number, number])[] {
  if (refusal === undefined || refusal.retryAfterS === 0) return [];
  const found = measured.find(({ answer }) => answer === name);
  return (found?.waitsS ?? []).map((wait) => [wait, refusal.retryAfterS] as const);
}

function describeWaits(waits: readonly (readonly [number, number])[]): Habits['waits'] {
  if (waits.length === 0) return 'never comes again';
  if (!waits.every(([wait, asked]) => wait >= asked - EARLY_S)) return 'its own time';
  return waits.every(([wait, asked]) => wait <= asked + LATE_S) ? 'as asked' : 'its own time, at least as asked';
}
