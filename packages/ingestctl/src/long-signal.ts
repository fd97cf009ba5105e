import type { Context } from './context.ts';

/** For what takes as long as it takes: it aborts when the operator ends the command. */
export function longSignal({ outside }: Context): AbortSignal {
  return outside.interruptible?.() ?? new AbortController().signal;
}
