import { constants, type ServerHttp2Stream } from 'node:http2';
import { type ServerInterceptingCallInterface, status } from '@grpc/grpc-js';
import { InvariantError, type Refused, refuse, type SignalKind } from '@weir/pipeline';
import type { Tenant } from '@weir/tenancy';
import type { EdgeQueue } from '../edge-queue.ts';
import { type Authenticated, BODY_ENCODING_NAMES, BODY_ENCODINGS, type BodyEncoding } from '../exports.ts';
import { LIMITS } from '../limits.ts';
import type { Deadlines } from './deadlines.ts';
import { toStatus } from './grpc-status.ts';
import { bodyBytesOf, type ReceiverParts } from './receiver.ts';

type PartialStatusObject = Parameters<ServerInterceptingCallInterface['sendStatus']>[0];

/**
 * What is used of the library's call beside its public interface. The stream, since nothing public shows bytes as they
 * come or closes a call whose client goes on. The package is pinned, and the tests of the receiver fail without each.
 */
interface Internals {
  readonly stream: ServerHttp2Stream;
  /** The library's own refusals go through this method of the call, not through interceptors. */
  sendStatus(status: PartialStatusObject): void;
  /** Gives the message without its five bytes of prefix. `encoding` is identity where the prefix says so. */
  decompressMessage(message: Buffer, encoding: string): Buffer | Promise<Buffer>;
}

const PREFIX_BYTES = 5;

/** A message that is whole, as the client sent it. */
export interface GrpcMessage {
  readonly body: Buffer;
  readonly encoding: BodyEncoding;
}

/** What all calls of a receiver share. */
export interface CallRoom {
  /** Counts the calls that are held, as items; of them, too, each tenant has its fair share. */
  readonly calls: EdgeQueue;
  /** After `LIMITS.bodyTimeoutMs`. */
  readonly deadlines: Deadlines;
  /** Called when a call that was counted has been answered and its stream closed. */
  readonly onClosed: () => void;
}

/**
 * One call, from its headers to the end of its stream. It is *receiving* until the handler has its message, which is whole
 * and whose sender has ended its half: so long it has a time-out, its bytes are taken from the queue as they come, and
 * every refusal, the library's own too, carries a Status, is counted, and closes the stream.
 */
export class GrpcCall {
  readonly signal: SignalKind;
  readonly #parts: ReceiverParts;
  readonly #room: CallRoom;
  readonly #stream: ServerHttp2Stream;
  readonly #send: (status: PartialStatusObject) => void;
  #state: 'receiving' | 'handling' | 'over' = 'receiving';
  #tenant: Tenant | undefined;
  #message: GrpcMessage | undefined;
  #encoding: BodyEncoding = 'identity';
  /** Bytes of the queue that this call has. */
  #held = 0;
  /** Bytes that have come, prefix included, and the tenant's most. */
  #came = 0;
  #bodyBytesMax = Number.POSITIVE_INFINITY;
  /** What came before it was known whose it is. */
  #earlyBytes = 0;
  #cancel: () => void = () => undefined;
  #closed = false;

  constructor(call: ServerInterceptingCallInterface, signal: SignalKind, parts: ReceiverParts, room: CallRoom) {
    const internals = call as unknown as Internals;
    if (internals.stream === undefined) throw new InvariantError('grpc-js does not show the stream of a call');
    this.signal = signal;
    this.#parts = parts;
    this.#room = room;
    this.#stream = internals.stream;
    this.#send = internals.sendStatus.bind(call);
    internals.sendStatus = (given) => this.#sendStatus(given);
    this.#keepCompressed(internals);
    // Before the library's own listener: what there is no room for is not kept.
    this.#stream.prependListener('data', (piece: Buffer) => this.#onPiece(piece));
    this.#stream.once('close', () => this.#onClose());
  }

  /** Whether the message may be received; where not, the call has been answered. */
  begin(who: Authenticated): boolean {
    if (who.kind === 'refused') return this.#refuse(who);
    const full = this.#room.calls.take(who.tenant, 0, 0, 1);
    if (full !== undefined) return this.#refuse(full);
    this.#tenant = who.tenant;
    this.#bodyBytesMax = bodyBytesOf(who.tenant, undefined, this.#parts.bodyBytesMax);
    const early = this.#hold(this.#earlyBytes);
    if (early !== undefined) return this.#refuse(early);
    this.#cancel = this.#room.deadlines.set(() => {
      this.#refuse(refuse('body_timeout', 'the export did not come whole in time'));
    });
    return true;
  }

  /** Takes the one message of the call. */
  take(body: Buffer): boolean {
    if (this.#state !== 'receiving') return false;
    if (this.#message !== undefined) return this.#refuse(refuse('malformed', 'a call is one message'));
    // It may have come before it was known whose it is.
    if (body.length > this.#bodyBytesMax) return this.#refuse(tooLarge(this.#bodyBytesMax));
    // The pieces have become one buffer.
    const full = this.#hold(body.length);
    if (full !== undefined) return this.#refuse(full);
    this.#message = { body, encoding: this.#encoding };
    return true;
  }

  /** The client has ended its half: whether there is a message to handle. */
  end(): boolean {
    if (this.#message === undefined) return this.#refuse(refuse('malformed', 'the call ended without a whole message'));
    return this.#state === 'receiving';
  }

  /** The handler takes the message, and calls `finish` when it has answered. */
  handOver(): GrpcMessage & { readonly tenant: Tenant } {
    if (this.#message === undefined || this.#tenant === undefined || this.#state !== 'receiving') {
      throw new InvariantError('only a call that has been received whole can be handled');
    }
    this.#state = 'handling';
    this.#cancel();
    return { ...this.#message, tenant: this.#tenant };
  }

  /** The handler has answered: its message is let go, and a client that does not take the answer is cut off. */
  finish(): void {
    this.#state = 'over';
    this.#hold(0);
    if (this.#closed) this.#leave();
    else if (!this.#stream.closed)
      this.#cancel = this.#room.deadlines.set(() => this.#stream.close(constants.NGHTTP2_CANCEL));
  }

  #onPiece(piece: Buffer): void {
    if (this.#state !== 'receiving') return;
    // The length that the prefix claims is the library's to check against the edge's bound, and ours against the tenant's.
    const claimed = this.#came === 0 && piece.length >= PREFIX_BYTES ? piece.readUInt32BE(1) : 0;
    this.#came += piece.length;
    if (Math.max(claimed, this.#came - PREFIX_BYTES) > this.#bodyBytesMax) {
      this.#refuse(tooLarge(this.#bodyBytesMax));
      return;
    }
    const bytes = piece.length + LIMITS.pieceOverheadBytes;
    if (this.#tenant === undefined) {
      this.#earlyBytes += bytes;
      return;
    }
    const full = this.#hold(this.#held + bytes);
    if (full !== undefined) this.#refuse(full);
  }

  #onClose(): void {
    this.#cancel();
    this.#closed = true;
    // What the handler has stays in the queue, and the call among the others, until it is done with it.
    if (this.#state === 'handling') return;
    this.#state = 'over';
    this.#hold(0);
    this.#leave();
  }

  /** The stream is closed and nothing is handled: the call is no longer among those that are held. */
  #leave(): void {
    if (this.#tenant === undefined) return;
    this.#room.calls.give(this.#tenant, 0, 1);
    this.#room.onClosed();
  }

  /** Makes the room that this call has so many bytes, or leaves it as it is and says why. */
  #hold(bytes: number): Refused | undefined {
    const { queue } = this.#parts;
    const tenant = this.#tenant;
    if (tenant === undefined) return undefined;
    const full = bytes > this.#held ? queue.take(tenant, this.#held, bytes - this.#held, 0) : undefined;
    if (full !== undefined) return full;
    if (bytes < this.#held) queue.give(tenant, this.#held - bytes, 0);
    this.#held = bytes;
    return undefined;
  }

  /** Compressed messages go on as they are: admission inflates within its bounds, and forwards the client's own bytes. */
  #keepCompressed(internals: Internals): void {
    const inflate = internals.decompressMessage.bind(internals);
    internals.decompressMessage = (message, encoding) => {
      const known = BODY_ENCODINGS.get(encoding);
      // The library answers what it does not know with UNIMPLEMENTED.
      if (known === undefined || known === 'identity') return inflate(message, encoding);
      this.#encoding = known;
      return message.subarray(PREFIX_BYTES);
    };
  }

  /** While the call is received, a status is a refusal by the library. */
  #sendStatus(given: PartialStatusObject): void {
    if (this.#state === 'receiving') this.#refuse(refusalOf(given.code, this.#parts.bodyBytesMax));
    else this.#send(given);
  }

  #refuse(refusal: Refused): false {
    if (this.#state !== 'receiving') return false;
    this.#state = 'over';
    // The client went away: there is nobody to answer.
    if (this.#stream.closed || this.#stream.destroyed) return false;
    this.#parts.events.answered(this.signal, 'grpc', this.#tenant, refusal, undefined);
    this.#send(toStatus(refusal));
    // The answer ends only our half: without a reset a client may hold the stream, and send on, for as long as it likes.
    // Not at once: a reset overtakes an answer that has not been written.
    setImmediate(() => this.#stream.close(constants.NGHTTP2_NO_ERROR));
    return false;
  }
}

/** What the library means; decided by its code, since a call that is received has only these ways to fail. */
function refusalOf(code: status | null | undefined, bodyBytesMax: number): Refused {
  switch (code) {
    case status.RESOURCE_EXHAUSTED:
      return tooLarge(bodyBytesMax);
    case status.UNIMPLEMENTED:
      return refuse('encoding_unsupported', `grpc-encoding must be ${BODY_ENCODING_NAMES}`);
    case status.DEADLINE_EXCEEDED:
      return refuse('body_timeout', 'the deadline of the call passed before the export was whole');
    default:
      return refuse('malformed', 'the call is not well-formed gRPC');
  }
}

function tooLarge(bytesMax: number): Refused {
  return refuse('too_large', `the body is larger than ${bytesMax} bytes`);
}
