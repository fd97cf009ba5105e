import { fromBinary, fromJsonString } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { SIGNALS } from '@weir/pipeline';
import { RESPONSE_SCHEMAS } from '@weir/testkit';
import { describe, expect, test } from 'vitest';
import { encodeExportResponse, encodeRetryInfo, encodeStatus } from './answers.ts';

/** Fields of one message as its wire says: varints as numbers, the rest as bytes. */
function fieldsOf(bytes: Uint8Array): [number, number | Buffer][] {
  const reader = new BinaryReader(bytes);
  const fields: [number, number | Buffer][] = [];
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    fields.push([field, type === 0 ? Number(reader.int64()) : Buffer.from(reader.bytes())]);
  }
  return fields;
}

function anyOf(bytes: Buffer): { type: string; value: Buffer } {
  const [type, value] = fieldsOf(bytes);
  return { type: String(type![1]), value: value![1] as Buffer };
}

describe('the answer to an export', () => {
  test.each(SIGNALS)('of %s is empty for a full success', (signal) => {
    expect(encodeExportResponse(signal, 'protobuf', { rejectedItems: 0 })).toHaveLength(0);
    expect(encodeExportResponse(signal, 'json', { rejectedItems: 0 }).toString()).toBe('{}');
  });

  test.each(SIGNALS)('of %s names the count and the reason of a partial one, alike in both forms', (signal) => {
    const outcome = { rejectedItems: 3_000_000_000, message: 'invalid_trace_id: 3' };
    const schema: (typeof RESPONSE_SCHEMAS)[typeof signal] = RESPONSE_SCHEMAS[signal];
    const protobuf = fromBinary(schema, encodeExportResponse(signal, 'protobuf', outcome));
    const json = fromJsonString(schema, encodeExportResponse(signal, 'json', outcome).toString());
    expect(json).toEqual(protobuf);
    expect(Object.values(protobuf.partialSuccess ?? {})).toEqual(
      expect.arrayContaining([3_000_000_000n, outcome.message]),
    );
  });
});

describe('a google.rpc.Status', () => {
  const status = { grpcCode: 8, message: 'over the limit', retryAfterS: 2, badRequestField: 'name' };

  test('carries code, message, RetryInfo and BadRequest', () => {
    const fields = fieldsOf(encodeStatus(status, 'protobuf'));
    expect(fields.map(([field]) => field)).toEqual([1, 2, 3, 3]);
    expect(fields[0]![1]).toBe(8);
    expect(String(fields[1]![1])).toBe('over the limit');
    const retry = anyOf(fields[2]![1] as Buffer);
    expect(retry.type).toBe('type.googleapis.com/google.rpc.RetryInfo');
    expect(retry.value).toEqual(encodeRetryInfo(2));
    const [[field, delay]] = fieldsOf(retry.value) as [[number, Buffer]];
    expect([field, fieldsOf(delay)]).toEqual([1, [[1, 2]]]);
    const bad = anyOf(fields[3]![1] as Buffer);
    expect(bad.type).toBe('type.googleapis.com/google.rpc.BadRequest');
    const [[, violation]] = fieldsOf(bad.value) as [[number, Buffer]];
    expect(fieldsOf(violation).map(([number, text]) => [number, String(text)])).toEqual([
      [1, 'name'],
      [2, 'over the limit'],
    ]);
  });

  test('says the same in JSON', () => {
    expect(JSON.parse(encodeStatus(status, 'json').toString())).toEqual({
      code: 8,
      message: 'over the limit',
      details: [
        { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '2s' },
        {
          '@type': 'type.googleapis.com/google.rpc.BadRequest',
          fieldViolations: [{ field: 'name', description: 'over the limit' }],
        },
      ],
    });
  });

  test('has no details where the client may not retry, and a bounded message', () => {
    const plain = { grpcCode: 3, message: 'x'.repeat(10_000) };
    expect(fieldsOf(encodeStatus(plain, 'protobuf')).map(([field]) => field)).toEqual([1, 2]);
    expect(encodeStatus(plain, 'json').length).toBeLessThan(1_100);
  });
});
