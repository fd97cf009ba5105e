import type { SignalKind } from '@weir/pipeline';

/** Items of each signal. */
export type BySignal = Record<SignalKind, number>;

export function bySignal(value: (kind: SignalKind) => number): BySignal {
  return { traces: value('traces'), logs: value('logs'), metrics: value('metrics') };
}

export const zeros = (): BySignal => bySignal(() => 0);
