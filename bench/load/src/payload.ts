import { createRandom, type RandomBytes } from './random.ts';

/** One export as it is sent, and what is in it. */
export interface Payload {
  readonly body: Buffer;
  readonly items: number;
  /** Ids of its items are `<run>/<producer>/<first>` to `<run>/<producer>/<first + items - 1>`. */
  readonly first: number;
}

export type LoadSignal = 'traces' | 'logs' | 'metrics';

/**
 * Name of the attribute that carries an item's id. That of a data point lacks the number, which is its value: otherwise every point
 * would be a series of its own, and a tenant may have only so many.
 */
export const ID_ATTRIBUTE = 'weir.load.id';

const ID_DIGITS = 12;
const TWO_32 = 2 ** 32;

/** What an item is like. */
export interface ItemShape {
  /** Of an item, its id among them. */
  readonly attributes?: number | undefined;
  /** Of so many spans the last has an event of an exception; 0 for none. */
  readonly exceptionEvery?: number;
}

/** Where the parts of an item that change lie in its template. */
interface Template {
  readonly bytes: Buffer;
  readonly traceId: number;
  readonly spanId: number;
  readonly start: number;
  readonly end: number;
  readonly status: number;
  /** Time of the exception, -1 where there is none. */
  readonly event: number;
  /** Of the last digit of the id; -1 where the number is the value. */
  readonly id: number;
  /** Of a data point, -1 where there is none. */
  readonly value: number;
}

/**
 * Makes the exports of one producer: a template of an item with about 8 attributes and 380 bytes, copied and patched in
 * place. No object is made for an item, so that the generator costs little beside what it loads.
 */
export class PayloadMaker {
  readonly #signal: LoadSignal;
  readonly #errors: number;
  readonly #template: Template;
  /** Of a span with an exception, every so many. */
  readonly #failing: { readonly template: Template; readonly every: number } | undefined;
  readonly #head: Buffer;
  readonly #random: RandomBytes;
  readonly #timeMs: () => number;
  #next = 0;
  #halves = { timeMs: Number.NaN, low: 0, high: 0 };

  /**
   * @param errors share of items with an error, 0 to 1
   * @param timeMs the time of an item
   * @param shape of an item, where it is another than that of all
   */
  constructor(
    signal: LoadSignal,
    run: string,
    producer: number,
    errors: number,
    random = createRandom(undefined, ''),
    timeMs = Date.now,
    { attributes = ATTRIBUTES, exceptionEvery = 0 }: ItemShape = {},
  ) {
    this.#random = random;
    this.#timeMs = timeMs;
    this.#signal = signal;
    this.#errors = errors;
    const prefix = idPrefix(run, producer);
    this.#template = template(signal, prefix, attributes);
    if (signal === 'traces' && exceptionEvery > 0) {
      this.#failing = { template: template(signal, prefix, attributes, EXCEPTION), every: exceptionEvery };
    }
    this.#head = field(1, field(1, attribute('service.name', `load-${producer % 20}`)));
  }

  make(items: number): Payload {
    const first = this.#next;
    let size = 0;
    for (let i = 0; i < items; i++) size += this.#templateOf(first + i).bytes.length;
    const scope = Buffer.allocUnsafe(size);
    const random = this.#random(items * 16);
    for (let i = 0, at = 0; i < items; i++) {
      const template = this.#templateOf(this.#next);
      template.bytes.copy(scope, at);
      this.#patch(template, scope, at, random, i * 16, this.#timeMs());
      at += template.bytes.length;
      this.#next++;
    }
    const scopes = field(2, Buffer.concat([field(1, text(1, 'weir.load')), scope]));
    return { body: field(1, Buffer.concat([this.#head, scopes])), items, first };
  }

  #templateOf(number: number): Template {
    const failing = this.#failing;
    return failing !== undefined && number % failing.every === failing.every - 1 ? failing.template : this.#template;
  }

  #patch(template: Template, out: Buffer, at: number, random: Buffer, from: number, timeMs: number): void {
    const { traceId, spanId, start, end, status, event, id, value } = template;
    const number = this.#next;
    if (traceId >= 0) random.copy(out, at + traceId, from, from + 16);
    if (spanId >= 0) random.copy(out, at + spanId, from + 4, from + 12);
    this.#writeNs(out, at + start, timeMs, 0);
    if (end >= 0) this.#writeNs(out, at + end, timeMs, 1 + (random[from]! & 0x3f));
    if (event >= 0) this.#writeNs(out, at + event, timeMs, 0);
    const failed = random.readUInt16LE(from + 14) / 65_536 < this.#errors;
    if (status >= 0) out[at + status] = this.#signal === 'logs' ? (failed ? 17 : 9) : failed ? 2 : 1;
    if (value >= 0) out.writeDoubleLE(number, at + value);
    let rest = number;
    for (let digit = 0; id >= 0 && digit < ID_DIGITS; digit++) {
      out[at + id - digit] = 0x30 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
  }

  /** A time and some milliseconds after it, in ns. The halves of the time are kept: many items have the same. */
  #writeNs(out: Buffer, at: number, timeMs: number, afterMs: number): void {
    if (timeMs !== this.#halves.timeMs) {
      const ns = BigInt(Math.floor(timeMs)) * 1_000_000n;
      this.#halves = { timeMs, low: Number(ns % BigInt(TWO_32)), high: Number(ns / BigInt(TWO_32)) };
    }
    const low = this.#halves.low + afterMs * 1_000_000;
    out.writeUInt32LE(low % TWO_32, at);
    out.writeUInt32LE(this.#halves.high + (low >= TWO_32 ? 1 : 0), at + 4);
  }
}

/** The id of an item as it is stored. */
export function itemId(run: string, producer: number, number: number): string {
  return `${idPrefix(run, producer)}${String(number).padStart(ID_DIGITS, '0')}`;
}

/** The id of an item without its number. */
export function idPrefix(run: string, producer: number): string {
  return `${run}/${producer}/`;
}

/** SQL of the ids of data points, whose numbers are their values. */
export const POINT_ID = `concat(Attributes['${ID_ATTRIBUTE}'], leftPad(toString(toUInt64(Value)), ${ID_DIGITS}, '0'))`;

/** What every item carries beside its id, in whatever form it is sent. */
export const FIXED_ATTRIBUTES: readonly (readonly [key: string, value: string])[] = [
  ['http.request.method', 'GET'],
  ['http.route', '/api/v1/orders/{id}'],
  ['url.path', '/api/v1/orders/1234567'],
  ['server.address', 'orders.internal'],
  ['network.protocol.version', '1.1'],
  ['user_agent.original', 'load/1.0'],
  ['deployment.environment.name', 'bench'],
];

const time = (number: number): Buffer => Buffer.concat([tag(number, 1), Buffer.alloc(8)]);

/** An event of a span, without what says so. */
const EXCEPTION = Buffer.concat([
  time(1),
  text(2, 'exception'),
  field(3, attribute('exception.type', 'TimeoutError')),
  field(3, attribute('exception.message', 'the database did not answer within 500 ms')),
]);

const VALUE = Buffer.concat([tag(4, 1), Buffer.from(new Float64Array([12.5]).buffer)]);

/** As many as an item has where nothing else is asked for. */
const ATTRIBUTES = FIXED_ATTRIBUTES.length + 1;

/** What an item carries beside its id, for so many attributes in all. */
function fixedAttributes(count: number): (readonly [key: string, value: string])[] {
  const more = Array.from({ length: Math.max(0, count - ATTRIBUTES) }, (_, at) => [
    `bench.attribute.${at}`,
    `value ${at} of this item`,
  ]);
  return [...FIXED_ATTRIBUTES.slice(0, count - 1), ...(more as [string, string][])];
}

function template(signal: LoadSignal, prefix: string, count: number, event?: Buffer): Template {
  const fixed = fixedAttributes(count);
  const digits = signal === 'metrics' ? '' : '0'.repeat(ID_DIGITS);
  const attributes = (number: number) =>
    [...fixed, [ID_ATTRIBUTE, `${prefix}${digits}`] as const].map(([key, value]) =>
      field(number, attribute(key, value)),
    );
  const parts: Record<LoadSignal, () => Buffer> = {
    traces: () =>
      Buffer.concat([
        field(1, Buffer.alloc(16, 1)),
        field(2, Buffer.alloc(8, 2)),
        text(5, 'GET /api/v1/orders/{id}'),
        Buffer.from([6 << 3, 2]),
        time(7),
        time(8),
        field(15, Buffer.from([3 << 3, 1])),
        ...attributes(9),
        ...(event === undefined ? [] : [field(11, event)]),
      ]),
    logs: () =>
      Buffer.concat([
        time(1),
        Buffer.from([2 << 3, 9]),
        text(3, 'INFO'),
        field(5, text(1, 'order 1234567 was read in 12 ms')),
        field(9, Buffer.alloc(16, 1)),
        field(10, Buffer.alloc(8, 2)),
        ...attributes(6),
      ]),
    metrics: () =>
      Buffer.concat([
        text(1, 'http.server.requests'),
        // Of a unit that is not converted: the value is the number of the item.
        text(3, '{request}'),
        field(5, field(1, Buffer.concat([time(3), VALUE, ...attributes(7)]))),
      ]),
  };
  const bytes = field(2, parts[signal]());
  const find = (needle: Buffer, skip: number) => {
    const at = bytes.indexOf(needle);
    return at < 0 ? -1 : at + skip;
  };
  const timeTag = { traces: 7, logs: 1, metrics: 3 }[signal];
  return {
    bytes,
    traceId: find(Buffer.alloc(16, 1), 0),
    spanId: find(Buffer.alloc(8, 2), 0),
    start: find(time(timeTag), 1),
    end: signal === 'traces' ? find(time(8), 1) : -1,
    status:
      signal === 'traces'
        ? find(field(15, Buffer.from([3 << 3, 1])), 3)
        : signal === 'logs'
          ? find(Buffer.from([2 << 3, 9]), 1)
          : -1,
    event: event === undefined ? -1 : find(event, 1),
    id: signal === 'metrics' ? -1 : bytes.lastIndexOf(digits) + ID_DIGITS - 1,
    value: signal === 'metrics' ? find(VALUE, 1) : -1,
  };
}

function attribute(key: string, value: string): Buffer {
  return Buffer.concat([text(1, key), field(2, text(1, value))]);
}

function text(number: number, value: string): Buffer {
  return field(number, Buffer.from(value));
}

function tag(number: number, type: number): Buffer {
  return varint(number * 8 + type);
}

function field(number: number, content: Buffer): Buffer {
  return Buffer.concat([tag(number, 2), varint(content.length), content]);
}

function varint(value: number): Buffer {
  const out: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    out.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 128);
  }
  out.push(rest);
  return Buffer.from(out);
}
