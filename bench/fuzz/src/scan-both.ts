import { isDeepStrictEqual } from 'node:util';
import { createTotals, ITEM_FAULTS, Scanner } from '@weir/otlp';
import type { SignalKind } from '@weir/pipeline';
import {
  decodeExport,
  type ExpectedRows,
  expectedRows,
  type OracleRequest,
  officialCounts,
  REQUEST_SCHEMAS,
} from '@weir/testkit';
import { OWNER, SLOW_NS } from './owner.ts';
import { type StrictWalk, strictWalk } from './strict-walk.ts';
import { Difference } from './target.ts';

const scanner = new Scanner();
export const totals = createTotals();

/** What the official decoder, and a strict walk along its schema, make of bytes. */
export interface Official {
  readonly request: OracleRequest<SignalKind> | undefined;
  readonly walk: StrictWalk | undefined;
}

export function readOfficially(signal: SignalKind, bytes: Buffer): Official {
  let request: OracleRequest<SignalKind>;
  try {
    request = decodeExport(signal, bytes);
  } catch {
    return { request: undefined, walk: undefined };
  }
  return { request, walk: strictWalk(REQUEST_SCHEMAS[signal], bytes) };
}

/** Rows and counts of an export that both take; undefined where both refuse it. @throws Difference */
export function scanBoth(signal: SignalKind, bytes: Buffer): { official: Official; expected?: ExpectedRows } {
  const result = scanner.scan(signal, bytes, SLOW_NS, totals);
  const official = readOfficially(signal, bytes);
  const { request, walk } = official;
  if (request === undefined || walk?.broken !== undefined) {
    if (result.ok) throw new Difference(`the scan takes what is refused by ${walk?.broken ?? 'the official decoder'}`);
    if (result.offset > bytes.length + 8) throw new Difference(`the fault is said to be at ${result.offset}`);
    return { official };
  }
  if (!result.ok) throw new Difference(`the scan refuses as ${result.reason} at ${result.offset} what is an export`);
  const expected = expectedRows(signal, request, OWNER);
  const { items, errorItems, slowItems, rejected, rejectedItems } = totals;
  const found = { items, errorItems, slowItems, rejected: [...rejected], rejectedItems };
  const counts = officialCounts(signal, request, expected, { owner: OWNER, slowNs: SLOW_NS, faults: ITEM_FAULTS });
  if (isDeepStrictEqual(found, counts)) return { official, expected };
  throw new Difference(`the scan counts ${JSON.stringify(found)}, not ${JSON.stringify(counts)}`);
}

/** How both came to refuse it. */
export function refusalOf({ walk }: Official): string {
  return walk?.broken === undefined ? 'refused by both' : `refused by rule ${walk.broken}`;
}
