import { readFileSync } from 'node:fs';
import { type DescMessage, fromJson, type JsonValue, type MessageShape, toJson } from '@bufbuild/protobuf';
import type { SignalKind } from '@weir/pipeline';
import { decodeExport, type OracleRequest, REQUEST_SCHEMAS } from './otlp.ts';

const HEX_FIELDS = new Set(['traceId', 'spanId', 'parentSpanId']);

/** OTLP writes ids in hex where protobuf's JSON has base64. */
function idsToBase64(value: unknown, name = ''): JsonValue {
  if (Array.isArray(value)) return value.map((item) => idsToBase64(item));
  if (typeof value === 'string' && HEX_FIELDS.has(name)) return Buffer.from(value, 'hex').toString('base64');
  if (typeof value !== 'object' || value === null) return value as JsonValue;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, idsToBase64(inner, key)]));
}

/** Decodes OTLP/JSON as the official definition and protobuf's JSON mapping say. @throws Error where it is not one */
export function decodeJsonExport<S extends SignalKind>(signal: S, json: string): OracleRequest<S> {
  const schema: DescMessage = REQUEST_SCHEMAS[signal];
  return fromJson(schema, idsToBase64(JSON.parse(json)), { ignoreUnknownFields: true }) as MessageShape<
    (typeof REQUEST_SCHEMAS)[S]
  > as OracleRequest<S>;
}

function idsToHex(value: unknown, name = ''): JsonValue {
  if (Array.isArray(value)) return value.map((item) => idsToHex(item));
  if (typeof value === 'string' && HEX_FIELDS.has(name)) return Buffer.from(value, 'base64').toString('hex');
  if (typeof value !== 'object' || value === null) return value as JsonValue;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, idsToHex(inner, key)]));
}

/** The OTLP/JSON of an encoded export: protobuf's JSON mapping with enums as integers and ids in hex. */
export function encodeJsonExport(signal: SignalKind, bytes: Uint8Array): string {
  const schema: DescMessage = REQUEST_SCHEMAS[signal];
  return JSON.stringify(idsToHex(toJson(schema, decodeExport(signal, bytes) as never, { enumAsInteger: true })));
}

/** The official examples of OTLP/JSON exports. */
export const SAMPLES = [
  { name: 'trace', signal: 'traces' },
  { name: 'logs', signal: 'logs' },
  { name: 'events', signal: 'logs' },
  { name: 'metrics', signal: 'metrics' },
] as const satisfies readonly { name: string; signal: SignalKind }[];

/** The text of one of {@link SAMPLES}. */
export function readSample(name: (typeof SAMPLES)[number]['name']): string {
  return readFileSync(new URL(`../../samples/${name}.json`, import.meta.url), 'utf8');
}
