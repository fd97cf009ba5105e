/** Steps inside a process at which a test may have it killed. */
export const FAULT_POINTS = [
  'edge.in_body',
  'edge.before_produce',
  'edge.after_produce',
  'normalizer.after_read',
  'normalizer.after_fence',
  'normalizer.after_produce',
  'sink.before_cut',
  'sink.after_cut',
  'sink.in_insert',
  'sink.after_insert',
  'sink.after_refusal',
  'sink.after_letter',
  'sink.after_correction',
  'replay.after_insert',
  'replay.after_batch',
  'promote.after_turn',
  'promote.after_claim',
  'promote.after_mark',
  'promote.after_delete',
  'promote.after_fill',
  'promote.after_booking',
  'promote.after_books',
] as const;

export type FaultPoint = (typeof FAULT_POINTS)[number];

let strike: ((at: FaultPoint) => void) | undefined;

/** Marks a step. Nothing happens, at the cost of one comparison, unless the process was started for fault tests. */
export function faultPoint(at: FaultPoint): void {
  if (strike !== undefined) strike(at);
}

/** Has something called at every step; undefined ends it. */
export function onFaultPoint(hook: ((at: FaultPoint) => void) | undefined): void {
  strike = hook;
}
