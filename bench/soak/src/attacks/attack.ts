import type { Agent } from 'undici';

/** Where a hostile client sends, and with which key. */
export interface Target {
  readonly http: URL;
  readonly grpc: URL;
  readonly ca: Buffer;
  /** Of a tenant that only hostile clients use. */
  readonly key: string;
  readonly agent: Agent;
}

/** Something that hostile clients do, again and again. */
export interface Attack {
  readonly name: string;
  readonly what: string;
  /** From the end of one round to the next. */
  readonly pauseMs: number;
  /** What it may be answered; anything else is a finding. `cut` is a connection that ended without an answer. */
  readonly allowed: RegExp;
  /** Runs it once. @returns how it was answered */
  run(target: Target): Promise<string>;
}
