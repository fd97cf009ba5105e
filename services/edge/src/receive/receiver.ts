import { type Clock, type Consumer, refuse, type SignalKind } from '@weir/pipeline';
import { limitOf, type Tenant } from '@weir/tenancy';
import type { EdgeQueue } from '../edge-queue.ts';
import type { Answer, Authenticated, BodyEncoding, KeyHeaders, RawExport, Transport } from '../exports.ts';
import type { TlsPortOptions } from './tls-port.ts';

/** What is counted of each request. */
export interface ReceiverEvents {
  received(signal: SignalKind, transport: Transport, bytes: number): void;
  /** @param seconds since the whole request was there; undefined where it was refused before that */
  answered(
    signal: SignalKind,
    transport: Transport,
    tenant: Tenant | undefined,
    answer: Answer,
    seconds: number | undefined,
  ): void;
  /** A fault of our own: the client is told to try again. */
  failed(error: unknown): void;
}

/** What both receivers need. */
export interface ReceiverParts extends TlsPortOptions {
  readonly bodyBytesMax: number;
  /** Bytes of the bodies that are being received or wait. */
  readonly queue: EdgeQueue;
  readonly clock: Clock;
  readonly authenticate: (headers: KeyHeaders) => Authenticated;
  readonly events: ReceiverEvents;
}

/** Most bytes of a tenant's body as it comes; one that is not compressed is its request as well. */
export function bodyBytesOf({ limits }: Tenant, encoding: BodyEncoding | undefined, edgeBytesMax: number): number {
  const most = Math.min(edgeBytesMax, limitOf(limits.bodyBytes));
  return encoding === 'identity' ? Math.min(most, limitOf(limits.requestBytes)) : most;
}

/** An export that has been admitted is answered by its own deadline; nothing cuts it short. */
const NEVER = new AbortController().signal;

/** Hands an export to admission and counts it, and its answer. Never throws: what breaks is an answer too. */
export async function admit(
  parts: ReceiverParts,
  next: Consumer<RawExport, Answer>,
  export_: RawExport,
): Promise<Answer> {
  const { clock, events } = parts;
  const startedMs = clock.nowMs();
  events.received(export_.signal, export_.transport, export_.body.length);
  const answer = await next.consume(export_, NEVER).catch((error): Answer => {
    events.failed(error);
    return refuse('internal', 'the export could not be handled; try again');
  });
  events.answered(export_.signal, export_.transport, export_.tenant, answer, (clock.nowMs() - startedMs) / 1_000);
  return answer;
}
