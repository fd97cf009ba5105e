/**
 * Why an export was not taken. The one closed list: the answer, the metric label, the usage table and the docs read it.
 *
 * `http` and `grpc` are the statuses of the answer; `retryable` says whether a client may send the same bytes again, and
 * only then do Retry-After and RetryInfo go with the answer (a client drops RESOURCE_EXHAUSTED that lacks RetryInfo).
 */
export const REFUSALS = {
  unauthenticated: { http: 401, grpc: 16, retryable: false },
  tenant_store_unavailable: { http: 503, grpc: 14, retryable: true },
  malformed: { http: 400, grpc: 3, retryable: false },
  encoding_unsupported: { http: 415, grpc: 12, retryable: false },
  content_type_unsupported: { http: 415, grpc: 3, retryable: false },
  not_found: { http: 404, grpc: 12, retryable: false },
  method_not_allowed: { http: 405, grpc: 12, retryable: false },
  too_large: { http: 413, grpc: 8, retryable: false },
  tenant_items_rate: { http: 429, grpc: 8, retryable: true },
  tenant_bytes_rate: { http: 429, grpc: 8, retryable: true },
  sink_full: { http: 429, grpc: 8, retryable: true },
  normalizer_full: { http: 429, grpc: 8, retryable: true },
  edge_full: { http: 503, grpc: 14, retryable: true },
  kafka_unavailable: { http: 503, grpc: 14, retryable: true },
  shutting_down: { http: 503, grpc: 14, retryable: true },
  body_timeout: { http: 408, grpc: 4, retryable: false },
  internal: { http: 503, grpc: 14, retryable: true },
} as const satisfies Record<string, RefusalRule>;

/** HTTP status, gRPC code and retry rule of one reason. */
export interface RefusalRule {
  readonly http: number;
  readonly grpc: number;
  readonly retryable: boolean;
}

/** A reason of {@link REFUSALS}; also the value of the metric label `reason`. */
export type RefusalReason = keyof typeof REFUSALS;

/** An export that was not taken. A value, never an exception. */
export interface Refused {
  readonly kind: 'refused';
  readonly reason: RefusalReason;
  /** English, for the client; holds nothing from the wire unescaped. */
  readonly message: string;
  /** Whole seconds >= 1; present only where the reason is retryable. */
  readonly retryAfterS?: number;
}

/** An export that is durable. `rejectedItems` > 0 makes the answer a partial success. */
export interface Accepted {
  readonly kind: 'accepted';
  readonly acceptedItems: number;
  readonly rejectedItems: number;
  /** English; set when `rejectedItems` > 0. */
  readonly message?: string;
}

export type Outcome = Accepted | Refused;

/** Builds a refusal; a retryable one carries Retry-After (default 1 s). */
export function refuse(reason: RefusalReason, message: string, retryAfterS = 1): Refused {
  if (!REFUSALS[reason].retryable) return { kind: 'refused', reason, message };
  return { kind: 'refused', reason, message, retryAfterS: Math.max(1, Math.ceil(retryAfterS)) };
}
