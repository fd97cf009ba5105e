import { Bytes } from '@weir/native';
import { isMetricData, WIRE, type WireReader } from '@weir/otlp';
import type { SignalKind } from '@weir/pipeline';

/** Levels of lists above the items: request, resource, scope; for metrics also the metric and its data. */
const LEVELS: Readonly<Record<SignalKind, number>> = { traces: 3, logs: 3, metrics: 5 };
const METRIC_LEVEL = 3;
const LIST_FIELDS = [1, 2, 2, 0, 1];

/**
 * The items of one export that cannot be stored. They are handed on as an ExportRequest for each fault, which holds
 * those items as they were sent under their resources, scopes and metrics, so that dead letters are never more than a
 * few times as large as the export.
 */
export class DeadItems {
  #starts = new Int32Array(64);
  #faults = new Int8Array(64);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  clear(): void {
    this.#count = 0;
  }

  /** Adds the item whose message starts at `start`. Items come in the order of their bytes. */
  add(start: number, fault: number): void {
    if (this.#count === this.#starts.length) this.#grow();
    this.#starts[this.#count] = start;
    this.#faults[this.#count++] = fault;
  }

  /** How many have the fault. */
  countOf(fault: number): number {
    let count = 0;
    for (let i = 0; i < this.#count; i++) if (this.#faults[i] === fault) count++;
    return count;
  }

  /** The export in the reader, without every item that has not this fault. */
  requestOf(fault: number, reader: WireReader, signal: SignalKind): Buffer {
    const wanted: number[] = [];
    for (let i = this.#count - 1; i >= 0; i--) if (this.#faults[i] === fault) wanted.push(this.#starts[i]!);
    const out = new Bytes(1024);
    reader.pos = 0;
    prune(reader, reader.buf.length, 0, LEVELS[signal] - 1, wanted, out);
    return Buffer.from(out.written());
  }

  #grow(): void {
    const starts = new Int32Array(this.#starts.length * 2);
    const faults = new Int8Array(this.#starts.length * 2);
    starts.set(this.#starts);
    faults.set(this.#faults);
    this.#starts = starts;
    this.#faults = faults;
  }
}

function isList(tag: number, level: number): boolean {
  if ((tag & 7) !== WIRE.bytes) return false;
  const field = tag >>> 3;
  return level === METRIC_LEVEL ? isMetricData(field) : field === LIST_FIELDS[level];
}

/**
 * Copies the message up to `end`, of its list only what holds wanted items. `wanted` has their starts, the first one
 * last; those that are copied are taken off. The bytes have been read before: there are no faults.
 */
function prune(reader: WireReader, end: number, level: number, leaf: number, wanted: number[], out: Bytes): void {
  const { buf } = reader;
  while (reader.pos < end) {
    const at = reader.pos;
    const tag = reader.tag(end);
    if (tag < 0) return;
    if (!isList(tag, level)) {
      if (!reader.skip(tag & 7, end)) return;
      out.copy(buf, at, reader.pos);
      continue;
    }
    const stop = reader.length(end);
    const next = wanted.at(-1) ?? Number.POSITIVE_INFINITY;
    if (level === leaf && reader.pos === next) {
      wanted.pop();
      out.copy(buf, at, stop);
    } else if (level < leaf && next <= stop) {
      const inner = new Bytes(256);
      prune(reader, stop, level + 1, leaf, wanted, inner);
      out.varint(tag);
      out.string(inner.buf, 0, inner.length);
    }
    reader.pos = stop;
  }
}
