import type { AnyValue, KeyValue } from '../oracle/generated/opentelemetry/proto/common/v1/common_pb.ts';

/** A map column's row, pair by pair. */
export type Pairs = [string, string][];

/** What a value looks like in a map column or as a log's body. */
export function anyValueText(value: AnyValue | undefined): string {
  const one = value?.value;
  switch (one?.case) {
    case 'stringValue':
      return one.value;
    case 'boolValue':
    case 'intValue':
      return String(one.value);
    case 'doubleValue':
      return Object.is(one.value, -0) ? '-0' : String(one.value);
    case 'bytesValue':
      return Buffer.from(one.value).toString('base64');
    case 'arrayValue':
    case 'kvlistValue':
      return json(value);
    default:
      return '';
  }
}

function json(value: AnyValue | undefined): string {
  const one = value?.value;
  switch (one?.case) {
    case 'stringValue':
      return JSON.stringify(one.value);
    case 'bytesValue':
      return JSON.stringify(anyValueText(value));
    case 'boolValue':
    case 'intValue':
      return String(one.value);
    case 'doubleValue':
      return Number.isFinite(one.value) ? anyValueText(value) : JSON.stringify(String(one.value));
    case 'arrayValue':
      return `[${one.value.values.map(json).join(',')}]`;
    case 'kvlistValue':
      return jsonObject(one.value.values);
    default:
      return 'null';
  }
}

/** The last of several pairs with one key counts; keys stand in the order of their bytes. */
function jsonObject(pairs: readonly KeyValue[]): string {
  const byKey = new Map(pairs.map((pair) => [pair.key, json(pair.value)]));
  const keys = [...byKey.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return `{${keys.map((key) => `${JSON.stringify(key)}:${byKey.get(key)}`).join(',')}}`;
}

/** Every pair as it was sent, repeated keys too. */
export function pairsOf(attributes: readonly KeyValue[] | undefined): Pairs {
  return (attributes ?? []).map((pair) => [pair.key, anyValueText(pair.value)]);
}
