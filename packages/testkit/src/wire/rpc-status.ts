import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

/** One detail of a google.rpc.Status: what of it clients act on. */
export interface RpcDetail {
  /** The name behind the last slash of its type: `google.rpc.RetryInfo`. */
  readonly type: string;
  /** Of a RetryInfo. */
  readonly retryAfterS?: number;
  /** Of a BadRequest. */
  readonly fields?: readonly string[];
}

/** A google.rpc.Status. */
export interface RpcStatus {
  readonly code: number;
  readonly message: string;
  readonly details: readonly RpcDetail[];
}

/** Reads a google.rpc.Status in either encoding. @throws Error where the bytes are not one */
export function decodeRpcStatus(bytes: Uint8Array, format: 'protobuf' | 'json'): RpcStatus {
  return format === 'json' ? statusOfJson(Buffer.from(bytes).toString('utf8')) : statusOfProtobuf(bytes);
}

/** Seconds of the google.rpc.RetryInfo that is the trailer google.rpc.retryinfo-bin. */
export function decodeRetryInfo(bytes: Uint8Array): number {
  const [delay] = lengthDelimited(bytes, 1);
  if (delay === undefined) throw new Error('a RetryInfo without a delay');
  const reader = new BinaryReader(delay);
  const [field] = reader.tag();
  if (field !== 1) throw new Error('a duration without whole seconds');
  return Number(reader.int64());
}

function statusOfProtobuf(bytes: Uint8Array): RpcStatus {
  const reader = new BinaryReader(bytes);
  let code = 0;
  let message = '';
  const details: RpcDetail[] = [];
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1 && type === WireType.Varint) code = reader.int32();
    else if (field === 2 && type === WireType.LengthDelimited) message = reader.string();
    else if (field === 3 && type === WireType.LengthDelimited) details.push(detailOfProtobuf(reader.bytes()));
    else throw new Error(`field ${field} of type ${type} is not in google.rpc.Status`);
  }
  return { code, message, details };
}

function detailOfProtobuf(bytes: Uint8Array): RpcDetail {
  const [url] = lengthDelimited(bytes, 1);
  const value = lengthDelimited(bytes, 2)[0] ?? new Uint8Array(0);
  const type = nameOf(Buffer.from(url ?? []).toString('utf8'));
  if (type === 'google.rpc.RetryInfo') return { type, retryAfterS: decodeRetryInfo(value) };
  if (type !== 'google.rpc.BadRequest') return { type };
  const fields = lengthDelimited(value, 1).map((violation) =>
    Buffer.from(lengthDelimited(violation, 1)[0] ?? []).toString('utf8'),
  );
  return { type, fields };
}

/** Contents of the length-delimited fields with this number. */
function lengthDelimited(bytes: Uint8Array, number: number): Uint8Array[] {
  const reader = new BinaryReader(bytes);
  const found: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === number && type === WireType.LengthDelimited) found.push(reader.bytes());
    else reader.skip(type, field);
  }
  return found;
}

interface JsonDetail {
  readonly '@type': string;
  readonly retryDelay?: string;
  readonly fieldViolations?: readonly { readonly field: string }[];
}

function statusOfJson(text: string): RpcStatus {
  const {
    code,
    message,
    details = [],
    ...others
  } = JSON.parse(text) as {
    code: number;
    message: string;
    details?: readonly JsonDetail[];
  };
  if (typeof code !== 'number' || typeof message !== 'string' || Object.keys(others).length > 0) {
    throw new Error(`not a google.rpc.Status: ${text.slice(0, 200)}`);
  }
  return { code, message, details: details.map(detailOfJson) };
}

function detailOfJson(detail: JsonDetail): RpcDetail {
  const type = nameOf(detail['@type']);
  if (type === 'google.rpc.RetryInfo')
    return { type, retryAfterS: Number(/^(\d+)s$/.exec(detail.retryDelay ?? '')?.[1]) };
  if (type === 'google.rpc.BadRequest')
    return { type, fields: (detail.fieldViolations ?? []).map(({ field }) => field) };
  return { type };
}

function nameOf(url: string): string {
  return url.slice(url.lastIndexOf('/') + 1);
}
