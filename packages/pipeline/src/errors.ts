/** What a dependency did; adapters map every error of theirs to one of these. */
export type DependencyCode = 'unavailable' | 'timeout' | 'rejected' | 'fenced' | 'corrupt' | 'aborted';

/** A dependency (Kafka, ClickHouse, a file) failed. Nothing matches on its message. */
export class DependencyError extends Error {
  override readonly name = 'DependencyError';
  readonly dependency: string;
  readonly code: DependencyCode;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;

  constructor(
    dependency: string,
    code: DependencyCode,
    message: string,
    options: { retryable: boolean; cause?: unknown },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.dependency = dependency;
    this.code = code;
    this.retryable = options.retryable;
  }
}

/** Our own code is wrong. Stops the process: nothing unacknowledged was promised. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Throws {@link InvariantError} unless `condition` holds. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}
