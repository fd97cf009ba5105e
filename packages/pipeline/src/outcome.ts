/**
 * Why an export was not taken. The one closed list: the answer, the metric label, the usage table and the docs read it.
 *
 * `http` and `grpc` are the statuses of the answer; `retryable` says whether a client may send the same bytes again, and
 * only then do Retry-After and RetryInfo go with the answer (a client drops RESOURCE_EXHAUSTED that lacks RetryInfo);
 * `means` stands in docs/REFUSALS.md.
 */
export const REFUSALS = {
  unauthenticated: {
    http: 401,
    grpc: 16,
    retryable: false,
    means: 'No key, more than one, or one that is not known or revoked.',
  },
  tenant_store_unavailable: {
    http: 503,
    grpc: 14,
    retryable: true,
    means: 'The key is not known, and not all tenants can be read at the moment.',
  },
  malformed: {
    http: 400,
    grpc: 3,
    retryable: false,
    means: 'The body is not an OTLP export, or not in the encoding that it claims.',
  },
  encoding_unsupported: {
    http: 415,
    grpc: 12,
    retryable: false,
    means: 'The body is compressed in a way that is not taken.',
  },
  content_type_unsupported: { http: 415, grpc: 3, retryable: false, means: 'Neither protobuf nor JSON.' },
  not_found: { http: 404, grpc: 12, retryable: false, means: 'There is no such path or method.' },
  method_not_allowed: { http: 405, grpc: 12, retryable: false, means: 'Exports are POSTed.' },
  too_large: {
    http: 413,
    grpc: 8,
    retryable: false,
    means: 'The body, one item, or the number of items is above what is ever taken.',
  },
  tenant_items_rate: { http: 429, grpc: 8, retryable: true, means: "Above the tenant's rate of items." },
  tenant_bytes_rate: { http: 429, grpc: 8, retryable: true, means: "Above the tenant's rate of bytes." },
  sink_full: {
    http: 429,
    grpc: 8,
    retryable: true,
    means:
      'ClickHouse takes less than comes in: the backlog of the sinks is in its priority zone or closed, or the tenant is above its fair share of what they take.',
  },
  normalizer_full: {
    http: 429,
    grpc: 8,
    retryable: true,
    means: 'The normalizers take less than comes in, likewise.',
  },
  edge_full: {
    http: 503,
    grpc: 14,
    retryable: true,
    means: "The edge's queue, or the tenant's fair share of it, is in its priority zone or full.",
  },
  kafka_unavailable: {
    http: 503,
    grpc: 14,
    retryable: true,
    means: 'Kafka did not take the export in time, or refused it.',
  },
  shutting_down: { http: 503, grpc: 14, retryable: true, means: 'The edge is stopping.' },
  body_timeout: { http: 408, grpc: 4, retryable: false, means: 'The body did not come whole in time.' },
  internal: { http: 503, grpc: 14, retryable: true, means: 'A fault of our own.' },
} as const satisfies Record<string, RefusalRule>;

/** HTTP status, gRPC code and retry rule of one reason. */
export interface RefusalRule {
  readonly http: number;
  readonly grpc: number;
  readonly retryable: boolean;
  readonly means: string;
}

/** A reason of {@link REFUSALS}; also the value of the metric label `reason`. */
export type RefusalReason = keyof typeof REFUSALS;

/** An export that was not taken. A value, never an exception. */
export interface Refused {
  readonly kind: 'refused';
  readonly reason: RefusalReason;
  /** `reason: why`, English, for the client; holds nothing from the wire unescaped. */
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

/** Builds a refusal, whose message begins with the reason; a retryable one carries Retry-After (default 1 s). */
export function refuse(reason: RefusalReason, why: string, retryAfterS = 1): Refused {
  const message = `${reason}: ${why}`;
  if (!REFUSALS[reason].retryable) return { kind: 'refused', reason, message };
  return { kind: 'refused', reason, message, retryAfterS: Math.max(1, Math.ceil(retryAfterS)) };
}
