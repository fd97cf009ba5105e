import type { LogRecord } from '@weir/delivery';
import { InvariantError } from '@weir/pipeline';
import { decodeDlqMeta, dlqKey } from '@weir/records';
import type { BookedId } from './simulated-books.ts';
import type { SimulatedEdge } from './simulated-edge.ts';

/** What holds the books against what happened. */
export interface AuditParts {
  readonly booked: (id: string) => BookedId;
  /** Whether an id is in a table or in the DLQ. */
  readonly isThere: (id: string) => boolean;
  /** Is told of each id that does not fit. */
  readonly say: (what: string) => void;
}

/**
 * How many ids of an edge are wrong in the books (I5): received = accepted + refused, accepted = what is there, and what is
 * there was answered with success (`acked`) or not (`unanswered`). An edge that was killed may take along what it had not
 * told, no more; one that lives or stopped may miss only as many as it says.
 */
export function misbookedOf(edge: SimulatedEdge, killed: boolean, { booked, isThere, say }: AuditParts): number {
  // Nobody outlives a power failure here, and nothing else takes the end of a log.
  let wrong = edge.lostEnds;
  if (wrong > 0) say(`an edge says that ${wrong} logs have lost their ends`);
  let untold = 0;
  for (const [id, answer] of edge.answers) {
    const there = isThere(id);
    const { accepted, acked, unanswered, refused } = booked(id);
    const outcomes = Number(acked) + Number(unanswered) + Number(refused);
    const fits =
      accepted === there &&
      outcomes <= 1 &&
      (!acked || (there && answer === true)) &&
      (!unanswered || (there && answer !== true)) &&
      (!refused || (!there && answer !== true));
    if (fits && outcomes > 0) continue;
    if (fits) untold++;
    else wrong++;
    if (!fits || !killed) say(`${id}: answer ${answer}, there ${there}, booked ${JSON.stringify(booked(id))}`);
  }
  if (!killed) return wrong + Math.max(0, untold - edge.lostItems);
  return wrong + toldInVain(edge, booked);
}

/** Ids of which a note was acknowledged, and that the books do not have. */
function toldInVain(edge: SimulatedEdge, booked: AuditParts['booked']): number {
  const missing = [...edge.noted].flatMap((tenant) => tenant.split('+')).filter((id) => !isTold(booked(id)));
  return missing.length;
}

function isTold({ acked, unanswered, refused }: BookedId): boolean {
  return acked || unanswered || refused;
}

/** Ids in the DLQ, and whether their letter says whose they are. Of letters with the same key all must be the same. */
export function deadIdsOf(records: readonly LogRecord[]): ReadonlyMap<string, boolean> {
  const letters = new Map<string, string>();
  const ids = new Map<string, boolean>();
  for (const { meta, value } of records) {
    const decoded = decodeDlqMeta(meta);
    if (!decoded.ok) continue;
    const key = dlqKey(decoded.value);
    const known = letters.get(key) ?? String(value);
    if (known !== String(value)) throw new InvariantError(`two letters ${key}: ${known} and ${String(value)}`);
    letters.set(key, known);
    for (const id of known.split(',')) ids.set(id, decoded.value.tenant !== '');
  }
  return ids;
}
