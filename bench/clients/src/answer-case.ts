import { REFUSALS, type RefusalReason } from '@weir/pipeline';

/** What an edge answers to one export, attempt by attempt. */
export interface AnswerCase {
  readonly name: string;
  /** In the page, before the statuses. */
  readonly title: string;
  /** Why the first attempts are refused; undefined where they are not, or where the edge refuses of its own accord. */
  readonly refusal?: { readonly reason: RefusalReason; readonly retryAfterS: number; readonly times: number };
  /** The export is accepted in part: so many of its items are rejected. */
  readonly rejectedItems?: number;
  /** Bytes that the span is padded with. */
  readonly paddingBytes?: number;
  /** So long after the client's first attempt at any case nothing listens. */
  readonly awayMs?: number;
}

/** Larger than this is refused by the edge itself, before or while it is read. */
export const BODY_BYTES_MAX = 1024 ** 2;

/** All of them. A client is served every one at once, each over connections of its own. */
export const ANSWER_CASES: readonly AnswerCase[] = [
  { name: 'success', title: 'success' },
  { name: 'partial', title: 'partial success', rejectedItems: 1 },
  { name: 'rate-1s', title: 'over the rate, twice', refusal: refused('tenant_items_rate', 1, 2) },
  {
    name: 'rate-5s',
    title: 'over the rate, once; the longest wait that an edge asks for',
    refusal: refused('tenant_items_rate', 5, 1),
  },
  {
    name: 'rate-12s',
    title: 'over the rate, once; longer than an edge asks for',
    refusal: refused('tenant_items_rate', 12, 1),
  },
  { name: 'rate-always', title: 'over the rate, always', refusal: refused('tenant_items_rate', 1, Infinity) },
  { name: 'edge-full', title: 'the edge is full, twice', refusal: refused('edge_full', 1, 2) },
  { name: 'kafka-away', title: 'Kafka is away, once', refusal: refused('kafka_unavailable', 2, 1) },
  { name: 'stopping', title: 'the edge is stopping, once', refusal: refused('shutting_down', 1, 1) },
  { name: 'full-always', title: 'the edge is full, always', refusal: refused('edge_full', 1, Infinity) },
  { name: 'away', title: 'nobody listens for 3 s', awayMs: 3_000 },
  { name: 'malformed', title: 'not an export, once', refusal: refused('malformed', 0, 1) },
  { name: 'too-large', title: 'too large', paddingBytes: 3 * BODY_BYTES_MAX },
  { name: 'no-key', title: 'the key is not known, once', refusal: refused('unauthenticated', 0, 1) },
];

/** gRPC's names of the codes that a refusal can have. */
const GRPC_NAMES: Readonly<Record<number, string>> = {
  3: 'INVALID_ARGUMENT',
  4: 'DEADLINE_EXCEEDED',
  8: 'RESOURCE_EXHAUSTED',
  12: 'UNIMPLEMENTED',
  14: 'UNAVAILABLE',
  16: 'UNAUTHENTICATED',
};

/** What goes over the wire, in words. */
export function wireAnswer({ name, refusal, rejectedItems }: AnswerCase, transport: 'http' | 'grpc'): string {
  if (name === 'away') return 'none';
  const reason = name === 'too-large' ? 'too_large' : refusal?.reason;
  if (reason === undefined) {
    const ok = transport === 'http' ? '200' : 'OK';
    return rejectedItems === undefined ? ok : `${ok}, partial_success`;
  }
  const { http, grpc, retryable } = REFUSALS[reason];
  if (transport === 'http') return retryable ? `${http}, Retry-After: ${refusal?.retryAfterS}` : String(http);
  return `${GRPC_NAMES[grpc]}, ${retryable ? `RetryInfo ${refusal?.retryAfterS} s` : 'no RetryInfo'}`;
}

function refused(reason: RefusalReason, retryAfterS: number, times: number) {
  return { reason, retryAfterS, times };
}
