import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import {
  decodeRpcStatus,
  ExportWire,
  GRPC_METHODS,
  GrpcWire,
  type GrpcWireCall,
  grpcFrame,
  Http1Wire,
  http1Bytes,
  pause,
  TestStack,
  WIRE_PLACES,
  WIRE_TRANSPORTS,
  type WireOutcome,
  type WirePlace,
  type WireTransport,
  wireTarget,
} from '@weir/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { oneItem } from './made-exports.ts';
import { title } from './row.ts';

const LIMIT = 1024 ** 2;

let stack: TestStack;
const scratch = mkdtempSync(join(tmpdir(), 'weir-conformance-'));
const ending: { destroy(): void }[] = [];

beforeAll(async () => {
  const env = { WEIR_EDGE_BODY_BYTES_MAX: '1MiB', WEIR_EDGE_QUEUE_BYTES_MAX: '8MiB' };
  stack = await TestStack.start(join(scratch, 'data'), { env });
});

afterAll(async () => {
  for (const each of ending) each.destroy();
  await stack.stop();
  rmSync(scratch, { recursive: true, force: true });
});

const headersOf = (transport: WireTransport, length: number) =>
  [
    ['content-type', transport === 'HTTP/JSON' ? 'application/json' : 'application/x-protobuf'],
    ['x-api-key', stack.key('demo')],
    ['content-length', String(length)],
  ] as const;

/** A well-formed export of this many bytes. */
function sized(transport: WireTransport, bytes: number): Buffer | string {
  if (transport === 'HTTP/JSON') return `{"x":"${'y'.repeat(bytes - 8)}"}`;
  // A field that nobody knows: 3 bytes of length for what is between 16 KiB and 2 MiB.
  const length = bytes - 4;
  const head = Buffer.of(0x7a, (length & 0x7f) | 0x80, ((length >>> 7) & 0x7f) | 0x80, length >>> 14);
  return Buffer.concat([head, Buffer.alloc(length, 'y')]);
}

describe('a limit of 1 MiB', () => {
  for (const transport of WIRE_TRANSPORTS) {
    for (const place of WIRE_PLACES) {
      for (const gzip of [false, true]) {
        const when = gzip ? 'after decompression' : 'uncompressed';
        test(title(2, transport, place, `the limit can be configured, and holds to the byte, ${when}`), async () => {
          const wire = new ExportWire(wireTarget(stack, place));
          const send = (bytes: number) =>
            wire.send(transport, {
              signal: 'traces',
              body: sized(transport, bytes),
              key: stack.key('demo'),
              compress: gzip ? { name: 'gzip', of: (plain) => gzipSync(plain) } : undefined,
            });
          expect(await send(LIMIT)).toMatchObject({ http: 200, code: 0 });
          const refused = await send(LIMIT + 1);
          expect(refused).toMatchObject({ http: transport === 'gRPC' ? 200 : 413, code: 8, status: { details: [] } });
          wire.close();
        });
      }
    }
  }
});

/** An export of which half has been sent. */
interface Half {
  finish(): Promise<{ readonly code: number | undefined }>;
}

async function beginHttp(transport: WireTransport, place: WirePlace): Promise<Half & { readonly wire: Http1Wire }> {
  const { http, ca } = wireTarget(stack, place);
  const wire = await Http1Wire.open(http, { ca });
  ending.push(wire);
  const body = transport === 'HTTP/JSON' ? Buffer.from('{"resourceSpans":[]}') : oneItem('traces', 'in flight');
  wire.write(http1Bytes({ path: '/v1/traces', headers: headersOf(transport, body.length), body: body.subarray(0, 5) }));
  return {
    wire,
    finish: async () => {
      wire.write(body.subarray(5));
      return { code: (await wire.answer())?.status };
    },
  };
}

function beginGrpc(place: WirePlace): Half & { readonly wire: GrpcWire; readonly call: GrpcWireCall } {
  const { grpc, ca } = wireTarget(stack, place);
  const wire = new GrpcWire(grpc, { ca });
  ending.push(wire);
  const frame = grpcFrame(oneItem('traces', 'in flight'));
  const call = wire.open(GRPC_METHODS.traces, { 'x-api-key': stack.key('demo') });
  call.stream.write(frame.subarray(0, 20));
  return {
    wire,
    call,
    finish: async () => {
      call.stream.end(frame.subarray(20));
      return { code: (await call.answer).code };
    },
  };
}

describe('an edge that is told to stop', () => {
  const answered = new Map<string, number | undefined>();
  const fresh = new Map<WireTransport, WireOutcome>();
  let direct: string[] = [];
  let again: Awaited<ReturnType<Http1Wire['answer']>>;
  let goaway: { readonly code: number } | undefined;

  beforeAll(async () => {
    const halves = new Map<string, Half>();
    for (const place of WIRE_PLACES) {
      for (const transport of ['HTTP/protobuf', 'HTTP/JSON'] as const) {
        halves.set(`${transport} ${place}`, await beginHttp(transport, place));
      }
      halves.set(`gRPC ${place}`, beginGrpc(place));
    }
    const twice = await beginHttp('HTTP/JSON', 'edge');
    const waiting = beginGrpc('edge');
    await pause(500);
    stack.signal('edge', 'SIGTERM');
    goaway = await Promise.race([waiting.wire.goaway, pause(5_000).then(() => undefined)]);
    const throughEnvoy = new ExportWire(wireTarget(stack, 'Envoy'));
    ending.push({ destroy: () => throughEnvoy.close() });
    const body = oneItem('traces', 'new');
    for (const transport of WIRE_TRANSPORTS) {
      fresh.set(transport, await throughEnvoy.send(transport, { signal: 'traces', body, key: stack.key('demo') }));
    }
    const { http, grpc, ca } = wireTarget(stack, 'edge');
    direct = await Promise.all([http, grpc].map((url) => Http1Wire.open(url, { ca }).then(() => 'open', refusalOf)));
    expect(await twice.finish()).toEqual({ code: 200 });
    twice.wire.write(http1Bytes({ path: '/v1/traces', headers: headersOf('HTTP/JSON', 2), body: Buffer.from('{}') }));
    again = await twice.wire.answer();
    for (const [name, half] of halves) answered.set(name, (await half.finish()).code);
    await waiting.finish();
  });

  for (const transport of WIRE_TRANSPORTS) {
    for (const place of WIRE_PLACES) {
      test(title(16, transport, place, 'an export in flight is answered'), () => {
        expect(answered.get(`${transport} ${place}`)).toBe(transport === 'gRPC' ? 0 : 200);
      });
    }

    test(
      title(16, transport, 'Envoy', 'a new export is 503 or UNAVAILABLE, with a Status and the time to come again'),
      () => {
        const outcome = fresh.get(transport);
        expect(outcome).toMatchObject({ http: transport === 'gRPC' ? 200 : 503, code: 14 });
        expect(outcome?.status?.details).toEqual([{ type: 'google.rpc.RetryInfo', retryAfterS: 1 }]);
        if (transport === 'gRPC') expect(outcome?.headers['google.rpc.retryinfo-bin']).toBe('CgIIAQ==');
        else expect(outcome?.headers['retry-after']).toBe('1');
      },
    );
  }

  test(
    title(
      16,
      'HTTP/JSON',
      'edge',
      'a new export on a connection that is open is 503 with Retry-After, and new connections are refused',
    ),
    () => {
      expect(again?.status).toBe(503);
      expect(again?.headers.get('retry-after')).toEqual(['1']);
      expect(again?.headers.get('connection')).toEqual(['close']);
      expect(decodeRpcStatus(again?.body ?? Buffer.alloc(0), 'json').code).toBe(14);
      expect(direct[0]).toBe('ECONNREFUSED');
    },
  );

  test(title(16, 'gRPC', 'edge', 'GOAWAY is sent, and new connections are refused'), () => {
    expect(goaway).toMatchObject({ code: 0 });
    expect(direct[1]).toBe('ECONNREFUSED');
  });
});

function refusalOf(error: unknown): string {
  return (error as { code?: string }).code ?? 'error';
}
