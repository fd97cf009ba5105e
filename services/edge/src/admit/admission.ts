import {
  createTotals,
  ITEM_FAULTS,
  type ItemFault,
  jsonToProtobuf,
  limitFaults,
  repeatedBytesMax,
  type ScanFault,
  Scanner,
} from '@weir/otlp';
import {
  type Clock,
  type Consumer,
  freeBytes,
  type RefusalReason,
  type Refused,
  refuse,
  type SignalKind,
  takes,
  type ZoneGauge,
} from '@weir/pipeline';
import { type Encoding, encodeRejectedItems } from '@weir/records';
import { type ActiveSeries, limitOf, type OverRate, type RateLimiter } from '@weir/tenancy';
import type { EdgeQueue } from '../edge-queue.ts';
import type { AdmittedExport, Answer, BodyEncoding, PipeFill, RawExport, Shares } from '../exports.ts';
import { LIMITS } from '../limits.ts';
import { type StoredValue, toStoredValue } from '../stored-value.ts';
import { Inflater, type NotInflated } from './inflate.ts';
import { itemLimits, rejectedMessage } from './item-limits.ts';

/** What admission is told to do. */
export interface AdmissionParts {
  readonly clock: Clock;
  readonly limiter: RateLimiter;
  /** Left out: series are not limited. */
  readonly series?: Pick<ActiveSeries, 'open'>;
  /** Items that wait for Kafka; its bytes have been taken by the receivers, which read it. */
  readonly queue: EdgeQueue;
  readonly pipeFill: () => PipeFill;
  readonly pipeZone: ZoneGauge;
  readonly shares: Shares;
  readonly bodyBytesMax: number;
  /** Called of exports that were accepted. */
  readonly onRejected: (signal: SignalKind, fault: ItemFault, items: number) => void;
}

/** An export that has been read. */
interface ReadExport {
  readonly plain: Buffer;
  /** The client's own bytes, where they can go on as they are. */
  readonly forward: Encoding | undefined;
  readonly items: number;
  readonly rejectedItems: number;
  readonly rejectedMessage: string | undefined;
  /** How many were rejected for what, as in `ScanTotals`; undefined where none was. */
  readonly rejected: Uint32Array | undefined;
  readonly limitFaults: Uint8Array | undefined;
  readonly priority: boolean;
}

/**
 * Decides on each export: readable, within the tenant's rate, room in the sinks and in the queue. In that order, since
 * only what was read has items to count, and what is over its rate must not take room. What cannot be read counts against
 * the rate of bytes alone.
 */
export function createAdmission(
  parts: AdmissionParts,
  next: Consumer<AdmittedExport, Answer>,
): Consumer<RawExport, Answer> {
  const scanner = new Scanner();
  const totals = createTotals();
  const inflater = new Inflater(parts.clock, parts.bodyBytesMax);
  const read = (export_: RawExport, inflated: Buffer, receivedAtNs: bigint): ReadExport | Refused => {
    const { tenant, signal } = export_;
    let plain = inflated;
    if (export_.format === 'json') {
      if (plain.length > LIMITS.jsonBytesMax) {
        return refuse('too_large', `a JSON body is larger than ${LIMITS.jsonBytesMax} bytes; send less, or protobuf`);
      }
      const converted = jsonToProtobuf(signal, plain);
      if (!converted.ok) return refuse(converted.reason, converted.message);
      plain = converted.bytes;
    }
    const limits = itemLimits(tenant, signal, receivedAtNs, parts.series);
    const repeatedMax = repeatedBytesMax(plain.length);
    const scan = scanner.scan(signal, plain, tenant.slowThresholdNs, totals, limits, repeatedMax);
    if (!scan.ok) return refuseScan(scan);
    const forward = export_.format === 'json' ? undefined : forwardable(export_.encoding);
    const priority = totals.errorItems > 0 || totals.slowItems > 0;
    const { items, rejectedItems } = totals;
    const told = {
      rejectedItems,
      rejected: rejectedItems === 0 ? undefined : totals.rejected.slice(),
      rejectedMessage: rejectedMessage(totals, tenant.limits),
      limitFaults: rejectedItems === 0 ? undefined : limitFaults(totals, 0, items),
    };
    return { plain, forward, items, ...told, priority };
  };

  // Not async: what waits for Kafka holds the value that goes there, and not the plain bytes, which no budget counts.
  const pass = (export_: RawExport, found: ReadExport, receivedAtNs: bigint, signal: AbortSignal): Promise<Answer> => {
    const { items, plain, rejected } = found;
    const { tenant, signal: kind } = export_;
    const plainBytes = plain.length;
    const admitted = toAdmitted(export_, found, receivedAtNs);
    const bytes = waitingBytes(export_, admitted);
    const full = parts.queue.take(tenant, admitted.heldBytes, bytes, 0);
    if (full !== undefined) {
      parts.queue.give(tenant, 0, items);
      giveBack(parts, tenant, items, plainBytes);
      return Promise.resolve({ ...full, items, bytes: plainBytes });
    }
    return next
      .consume(admitted, signal)
      .then((answer) => {
        if (answer.kind === 'refused') giveBack(parts, tenant, items, plainBytes, answer.reason);
        else if (rejected !== undefined) reportRejected(parts, kind, rejected);
        return { ...answer, items, bytes: plainBytes };
      })
      .finally(() => parts.queue.give(tenant, bytes, items));
  };

  const decide = (
    export_: RawExport,
    found: ReadExport | Refused,
    receivedAtNs: bigint,
    signal: AbortSignal,
  ): Answer | Promise<Answer> => {
    if ('kind' in found) return found;
    const { items, priority, plain } = found;
    if (items === 0) return passEmpty(parts, export_, plain.length);
    const refused = admit(parts, export_, items, plain.length, priority);
    return refused === undefined
      ? pass(export_, found, receivedAtNs, signal)
      : { ...refused, items, bytes: plain.length };
  };

  return {
    consume: async (export_, signal) => {
      const receivedAtNs = parts.clock.wallNs();
      const unread = refuseUnread(parts, export_);
      if (unread !== undefined) return unread;
      const bytesMax = limitOf(export_.tenant.limits.requestBytes);
      return inflater.inflate(export_.body, export_.encoding, bytesMax).then((inflated): Answer | Promise<Answer> => {
        if (inflated.kind === 'refused') return refuseInflated(parts, export_, inflated);
        try {
          const found = read(export_, inflated.plain, receivedAtNs);
          if ('kind' in found) charge(parts, export_, inflated.plain.length);
          return decide(export_, found, receivedAtNs, signal);
        } finally {
          inflated.release();
          freePlain(export_, inflated.plain);
        }
      });
    },
  };
}

function refuseInflated(parts: AdmissionParts, export_: RawExport, { costBytes, ...refused }: NotInflated): Refused {
  charge(parts, export_, costBytes);
  return refused;
}

function refuseScan({ reason, offset }: ScanFault): Refused {
  return reason === 'rows_too_large'
    ? refuse('too_large', 'a resource, scope or metric head is too large for the number of items that share it')
    : refuse('malformed', `the body is not an OTLP export: ${reason} at byte ${offset}`);
}

/** An export without items goes nowhere, but was read as any other: its bytes, if any, are the tenant's. The books do not know it. */
function passEmpty({ limiter, shares }: AdmissionParts, { tenant, body }: RawExport, bytes: number): Answer {
  const over = bytes === 0 ? undefined : limiter.tryTake(tenant, 0, bytes, body.length, shares.ofLimits(tenant));
  if (over !== undefined) return { ...refuseOver(over), items: 0 };
  return { kind: 'accepted', acceptedItems: 0, rejectedItems: 0, items: 0 };
}

/** What goes to Kafka is a copy, compressed, unless it is small; what is split is left to who splits it. */
function freePlain({ encoding, ownsBody }: RawExport, plain: Buffer): void {
  const copied = plain.length >= LIMITS.compressBytesMin && plain.length <= LIMITS.recordBodyBytesMax;
  if (copied && (ownsBody || encoding !== 'identity')) freeBytes(plain);
}

/** The encodings that the raw log's readers know. */
function forwardable(encoding: BodyEncoding): Encoding | undefined {
  return encoding === 'deflate' || encoding === 'snappy' ? undefined : encoding;
}

function toAdmitted(export_: RawExport, found: ReadExport, receivedAtNs: bigint): AdmittedExport {
  const { forward, plain, items, priority, rejectedItems, rejectedMessage, limitFaults } = found;
  const stored = storedOf(export_.body, forward, plain);
  const { tenant, signal } = export_;
  const bytes = plain.length;
  // What will be split says it piece by piece.
  const whole = limitFaults !== undefined && plain.length <= LIMITS.recordBodyBytesMax;
  const rejected = whole ? encodeRejectedItems(limitFaults) : undefined;
  const meta = {
    tenant: tenant.name,
    signal,
    encoding: stored.encoding,
    priority,
    items,
    bytes,
    receivedAtNs,
    rejected,
  };
  const told = { rejectedItems, rejectedMessage, limitFaults };
  return { tenant, meta, value: stored.value, plain, heldBytes: export_.body.length, ...told };
}

/**
 * The client's own bytes where they are compressed; but empty gzip members and skipped zstd frames make a body of any
 * length of one span, and Kafka would refuse such a record each time that it comes. What will be split is compressed
 * piece by piece.
 */
function storedOf(body: Buffer, forward: Encoding | undefined, plain: Buffer): StoredValue {
  if (plain.length > LIMITS.recordBodyBytesMax) return { encoding: 'identity', value: plain };
  const fits = body.length <= Math.min(LIMITS.recordBytesMax, plain.length + LIMITS.forwardSlackBytes);
  const small = plain.length < LIMITS.compressBytesMin;
  if (!fits || forward === undefined || (forward === 'identity' && !small)) return toStoredValue(plain);
  return { encoding: forward, value: body };
}

/** Bytes that wait for Kafka beside the client's own. What is split is counted by who splits it. */
function waitingBytes({ body }: RawExport, { value, plain, meta }: AdmittedExport): number {
  const rejected = meta.rejected?.length ?? 0;
  const counted = value === body || plain.length > LIMITS.recordBodyBytesMax;
  return counted ? rejected : rejected + value.length;
}

/** Takes from the rate and from the queue, or says why not; what was taken before a refusal is given back. */
function admit(
  parts: AdmissionParts,
  export_: RawExport,
  items: number,
  bytes: number,
  priority: boolean,
): Refused | undefined {
  const { tenant, body } = export_;
  const { itemsMax } = parts.queue.budget.limits;
  if (items > itemsMax) {
    charge(parts, export_, bytes);
    return refuse('too_large', `the export has more than ${itemsMax} items`);
  }
  const over = parts.limiter.tryTake(tenant, items, bytes, body.length, parts.shares.ofLimits(tenant));
  if (over !== undefined) return refuseOver(over);
  const pipe = parts.pipeFill();
  const waitS = parts.shares.takeOfPipe(tenant, bytes);
  if (waitS !== undefined) {
    parts.limiter.giveBack(tenant, items, bytes);
    const message = 'the pipe is full, and the tenant sends more than its fair share of what it takes';
    return refuse(pipe.reason, message, bounded(Math.max(waitS, pipe.retryAfterS)));
  }
  // Its own body is in the queue already, and alone it must not make the edge nearly full: it would be so for ever.
  const queueZone = parts.queue.zoneBeside(tenant, body.length);
  let refused: Refused | undefined;
  if (!takes(parts.pipeZone.observe(pipe.fill), priority)) {
    refused = refuse(pipe.reason, 'the pipe is full: it takes less than comes in', bounded(pipe.retryAfterS));
  } else if (queueZone === 'closed') {
    refused = refuse('edge_full', 'the edge is full');
  } else if (!takes(queueZone, priority)) {
    refused = refuse(
      'edge_full',
      'the edge, or the share of the tenant in it, is nearly full: only errors and slow spans are taken',
    );
  } else refused = parts.queue.take(tenant, body.length, 0, items);
  if (refused !== undefined) giveBack(parts, tenant, items, bytes);
  return refused;
}

function giveBack(
  { limiter, shares }: AdmissionParts,
  tenant: RawExport['tenant'],
  items: number,
  bytes: number,
  reason?: RefusalReason,
): void {
  // What cannot be split was read in vain, and its bytes stay the tenant's.
  limiter.giveBack(tenant, items, reason === 'too_large' ? 0 : bytes);
  shares.giveBack(tenant, bytes);
}

/**
 * What was read in vain counts against the rate of bytes all the same: whoever sends such bodies again and again is over it,
 * and refused unread. A bucket that has less than that goes into debt, by no more than its burst and not further where it is: its
 * tenant is to be served again soon. The books do not know these bytes.
 */
function charge({ limiter, shares }: AdmissionParts, { tenant, body }: RawExport, readBytes: number): void {
  if (readBytes === 0) return;
  const share = shares.ofLimits(tenant);
  const bytes = Math.min(readBytes, tenant.limits.bytes.burst * share.bytes);
  const over = limiter.tryTake(tenant, 0, bytes, body.length, share);
  if (over === undefined) return;
  const left = bytes - over.retryAfterS * over.limit.perSecond * share.bytes;
  if (left > 0) limiter.giveBack(tenant, 0, -bytes);
}

/** Reading costs as much as all the rest: who is far over its rate must not have that for every export that is refused. */
function refuseUnread(parts: AdmissionParts, { tenant, body }: RawExport): Answer | undefined {
  const over = parts.limiter.overUnread(tenant, body.length, parts.shares.ofLimits(tenant));
  if (over === undefined) return undefined;
  return { ...refuseOver(over), unread: { items: over.items, bytes: over.bytes } };
}

function refuseOver({ what, limit, usedPerSecond, retryAfterS }: OverRate): Refused {
  const message = `over the tenant's rate: ${what} are limited to ${limit.perSecond} a second (burst ${limit.burst}), used ${Math.round(usedPerSecond)} a second`;
  return refuse(what === 'items' ? 'tenant_items_rate' : 'tenant_bytes_rate', message, bounded(retryAfterS));
}

function bounded(seconds: number): number {
  return Math.min(LIMITS.retryAfterSMax, Math.max(1, seconds));
}

function reportRejected({ onRejected }: AdmissionParts, signal: SignalKind, rejected: Uint32Array): void {
  for (const [index, fault] of ITEM_FAULTS.entries()) {
    const count = rejected[index] ?? 0;
    if (count > 0) onRejected(signal, fault, count);
  }
}
