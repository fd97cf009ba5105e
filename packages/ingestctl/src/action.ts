import type { Context } from './context.ts';

/** What a command does; returns the exit status. The signal aborts when it takes too long. */
export type Action = (context: Context, signal: AbortSignal) => Promise<number> | number;

/** Runs a command's action in the context of its command line. */
export type Act = (action: Action) => Promise<void>;
