import type { LoadSignal } from './payload.ts';

/** What the pipe said of an export: accepted, refused with a status, or nothing that says either. */
export type Sent =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string };

/** Where exports go. */
export interface Target {
  readonly grpc: string;
  readonly http: string;
  readonly ca: Buffer | undefined;
}

export type LoadTransport = 'grpc' | 'http' | 'http-json';

/** Sends exports; one for each transport serves all producers. */
export interface Sender {
  send(signal: LoadSignal, body: Buffer, key: string): Promise<Sent>;
  close(): Promise<void>;
}
