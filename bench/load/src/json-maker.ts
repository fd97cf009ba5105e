import { FIXED_ATTRIBUTES, ID_ATTRIBUTE, idPrefix, itemId, type LoadSignal, type Payload } from './payload.ts';
import type { RandomBytes } from './random.ts';

/** Makes the exports of one producer as OTLP/JSON: text put together around what changes, as cheap as JSON can be. */
export class JsonPayloadMaker {
  readonly #signal: LoadSignal;
  readonly #run: string;
  readonly #producer: number;
  readonly #errors: number;
  readonly #random: RandomBytes;
  readonly #timeMs: () => number;
  #next = 0;

  /**
   * @param errors share of items with an error, 0 to 1
   * @param timeMs the time of an item
   */
  constructor(
    signal: LoadSignal,
    run: string,
    producer: number,
    errors: number,
    random: RandomBytes,
    timeMs = Date.now,
  ) {
    this.#signal = signal;
    this.#run = run;
    this.#producer = producer;
    this.#errors = errors;
    this.#random = random;
    this.#timeMs = timeMs;
  }

  make(items: number): Payload {
    const first = this.#next;
    const random = this.#random(items * 16);
    const parts: string[] = [];
    for (let i = 0; i < items; i++) parts.push(this.#item(random, i * 16, this.#timeMs()));
    const { resources, scopes, list } = ENVELOPES[this.#signal];
    const resource = `{"attributes":[${attribute('service.name', `load-${this.#producer % 20}`)}]}`;
    const text = `{"${resources}":[{"resource":${resource},"${scopes}":[{"scope":{"name":"weir.load"},"${list}":[${parts.join(',')}]}]}]}`;
    return { body: Buffer.from(text), items, first };
  }

  #item(random: Buffer, at: number, timeMs: number): string {
    const traceId = random.toString('hex', at, at + 16);
    const spanId = random.toString('hex', at + 4, at + 12);
    const failed = random.readUInt16LE(at + 14) / 65_536 < this.#errors;
    const number = this.#next++;
    const isPoint = this.#signal === 'metrics';
    const id = isPoint ? idPrefix(this.#run, this.#producer) : itemId(this.#run, this.#producer, number);
    const attributes = `"attributes":[${FIXED},${attribute(ID_ATTRIBUTE, id)}]`;
    const time = `${timeMs}000000`;
    if (this.#signal === 'traces') {
      const end = timeMs + 1 + (random[at]! & 0x3f);
      return `{"traceId":"${traceId}","spanId":"${spanId}","name":"GET /api/v1/orders/{id}","kind":2,"startTimeUnixNano":"${time}","endTimeUnixNano":"${end}000000",${attributes},"status":{"code":${failed ? 2 : 1}}}`;
    }
    if (this.#signal === 'logs') {
      return `{"timeUnixNano":"${time}","severityNumber":${failed ? 17 : 9},"severityText":"INFO","body":{"stringValue":"order 1234567 was read in 12 ms"},${attributes},"traceId":"${traceId}","spanId":"${spanId}"}`;
    }
    return `{"name":"http.server.requests","unit":"{request}","gauge":{"dataPoints":[{"timeUnixNano":"${time}","asDouble":${number},${attributes}}]}}`;
  }
}

const ENVELOPES = {
  traces: { resources: 'resourceSpans', scopes: 'scopeSpans', list: 'spans' },
  logs: { resources: 'resourceLogs', scopes: 'scopeLogs', list: 'logRecords' },
  metrics: { resources: 'resourceMetrics', scopes: 'scopeMetrics', list: 'metrics' },
} as const satisfies Record<LoadSignal, object>;

function attribute(key: string, value: string): string {
  return `{"key":"${key}","value":{"stringValue":"${value}"}}`;
}

const FIXED = FIXED_ATTRIBUTES.map(([key, value]) => attribute(key, value)).join(',');
