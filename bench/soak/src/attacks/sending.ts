import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { request } from 'undici';
import type { Target } from './attack.ts';

const ANSWER_MS = 20_000;
const TRACES = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

/** The code of an error, for counting. */
export function codeOf(error: unknown): string {
  return (error as { code?: string }).code ?? 'cut';
}

/** Sends a body to /v1/traces. @returns `HTTP 400`, or the code of the error */
export async function post(
  { http, agent, key }: Target,
  body: Buffer | string,
  headers: Readonly<Record<string, string>> = {},
  path = '/v1/traces',
): Promise<string> {
  try {
    const answer = await request(new URL(path, http), {
      method: 'POST',
      body,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-protobuf', ...headers },
      dispatcher: agent,
      headersTimeout: ANSWER_MS,
      bodyTimeout: ANSWER_MS,
    });
    await answer.body.dump();
    return `HTTP ${answer.statusCode}`;
  } catch (error) {
    return codeOf(error);
  }
}

/** Writes bytes to the HTTP port. @returns the status of what comes back, or `cut` */
export function writeRaw({ http, ca }: Target, bytes: Buffer | string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connectTls({ host: http.hostname, port: Number(http.port), ca });
    const timer = setTimeout(() => end('unanswered'), ANSWER_MS);
    const end = (how: string) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(how);
    };
    socket.once('secureConnect', () => socket.write(bytes));
    socket.once('data', (answer: Buffer) => end(`HTTP ${/^HTTP\/1\.1 (\d+)/.exec(answer.toString('latin1'))?.[1]}`));
    socket.on('error', () => end('cut'));
    socket.once('close', () => end('cut'));
  });
}

/** Writes frames to the gRPC port behind a preface. @returns `closed` where the connection was ended, `held` where it was not */
export function writeFrames({ grpc, ca }: Target, frames: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const socket: TLSSocket = connectTls({
      host: grpc.hostname,
      port: Number(grpc.port),
      ca,
      ALPNProtocols: ['h2'],
    });
    const timer = setTimeout(() => end('held'), 2_000);
    const end = (how: string) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(how);
    };
    socket.once('secureConnect', () => socket.write(frames));
    socket.resume();
    socket.on('error', () => end('closed'));
    socket.once('close', () => end('closed'));
  });
}

/** Runs something on an HTTP/2 session of its own. */
export async function withSession<T>(target: Target, use: (session: ClientHttp2Session) => Promise<T>): Promise<T> {
  const session = connectHttp2(target.grpc, { ca: target.ca });
  session.on('error', () => undefined);
  try {
    return await use(session);
  } finally {
    session.destroy();
  }
}

/** Begins an export; the caller writes what it likes. */
export function beginCall(session: ClientHttp2Session, key: string): ReturnType<ClientHttp2Session['request']> {
  const call = session.request({
    [constants.HTTP2_HEADER_METHOD]: 'POST',
    [constants.HTTP2_HEADER_PATH]: TRACES,
    'content-type': 'application/grpc',
    te: 'trailers',
    authorization: `Bearer ${key}`,
  });
  call.on('error', () => undefined);
  return call;
}

/** Sends bytes as a call's whole body. @returns `gRPC 3`, or `cut` */
export function callWith(target: Target, body: Buffer): Promise<string> {
  return withSession(
    target,
    (session) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => resolve('unanswered'), ANSWER_MS);
        const end = (how: string) => {
          clearTimeout(timer);
          resolve(how);
        };
        const call = beginCall(session, target.key);
        call.once('response', (headers) => headers['grpc-status'] && end(`gRPC ${headers['grpc-status']}`));
        call.once('trailers', (headers) => end(`gRPC ${headers['grpc-status']}`));
        call.once('close', () => end('cut'));
        call.resume();
        call.end(body);
      }),
  );
}

/** A gRPC message: its head and its bytes. */
export function message(bytes: Buffer, claimed = bytes.length): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(claimed, 1);
  return Buffer.concat([head, bytes]);
}
