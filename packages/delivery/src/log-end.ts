import { DependencyError } from '@weir/pipeline';

/** One log. */
export interface LogEnd {
  /** One past its newest record. */
  readonly end: number;
  /** What `end` was at least, by what is recorded: where that is more, acknowledged records are gone. */
  readonly recorded: number;
}

/** Of a partition that is taken over, and ends before what was recorded of it. What is appended there meanwhile must not be passed over. */
export function lostEndError(topic: string, partition: number, { end, recorded }: LogEnd): DependencyError {
  const message = `kafka: ${topic}/${partition} ends at ${end}, but reached ${recorded}: acknowledged records are lost (ingestctl topics status)`;
  return new DependencyError('kafka', 'rejected', message, { retryable: false });
}
