/** The world outside the command, injected so that tests can be it. */
export interface Outside {
  readonly env: Readonly<Record<string, string | undefined>>;
  readFile(path: string): string;
  /** Replaces a file as a whole, or leaves it as it was. */
  writeFile(path: string, text: string): void;
  out(text: string): void;
  err(text: string): void;
  /** Whether the output is a terminal, which may be redrawn. */
  readonly terminal: boolean;
  /** Whether it may be coloured; left out: as it is a terminal. */
  readonly colours?: boolean;
  /** From its call on the signal aborts when the operator ends the command, which then ends by itself. Left out: nobody does. */
  interruptible?(): AbortSignal;
  /** Asks the operator, who says yes or no. Left out: there is nobody to ask. */
  ask?(question: string): Promise<boolean>;
}

/** Options that every command takes. */
export interface GlobalOptions {
  readonly brokers?: string;
  readonly clickhouse?: string;
  readonly database?: string;
  readonly cluster?: string;
  readonly config?: string;
  readonly dataDir?: string;
  readonly json?: boolean;
}

/** A command cannot be carried out as it was given: exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
