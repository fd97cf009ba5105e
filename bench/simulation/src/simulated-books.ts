import type { Usage } from '@weir/records';
import { idNumber } from './simulated-blocks.ts';

/** What stands before the numbers of ids in the books. */
const LETTERS = { accepted: 'a', acked: 'k', unanswered: 'u', refused: 'r' } as const;

export type BookedOutcome = keyof typeof LETTERS;
type Letter = (typeof LETTERS)[BookedOutcome];

/** What the books have of one id. */
export interface BookedId {
  readonly accepted: boolean;
  readonly acked: boolean;
  readonly unanswered: boolean;
  readonly refused: boolean;
}

/** The tenant of an export is made of the numbers of its ids, so that the books have them too. */
export function tenantOf(ids: readonly string[]): string {
  return ids.map(idNumber).join('+');
}

/** Tenants of usage by what became of them, each a row: a letter, and numbers of ids. */
export function bookRows(usage: readonly Pick<Usage, 'tenant' | 'outcome'>[]): string[] {
  return Object.entries(LETTERS).flatMap(([outcome, letter]) => {
    const tenants = usage.filter((row) => row.outcome === outcome).map(({ tenant }) => tenant);
    return tenants.length === 0 ? [] : [`${letter}${tenants.join('+')}`];
  });
}

/** The ids of a row of the books, each with its letter; a row of another table is its own. */
export function idsOfRow(row: string): readonly string[] {
  if (!isBooked(row)) return [row];
  return row
    .slice(1)
    .split('+')
    .map((number) => `${row[0]}${number}`);
}

/** Whether a row or id is one of the books, and not one of a table. */
export function isBooked(row: string): boolean {
  return Object.values(LETTERS).includes(row[0] as Letter);
}

/** @param counts how often each row is stored */
export function bookedOf(counts: ReadonlyMap<string, number>, number: number): BookedId {
  const has = (outcome: BookedOutcome) => counts.has(`${LETTERS[outcome]}${number}`);
  return {
    accepted: has('accepted'),
    acked: has('acked'),
    unanswered: has('unanswered'),
    refused: has('refused'),
  };
}
