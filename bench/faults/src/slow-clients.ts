import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { TestStack } from '@weir/testkit';

const BYTE_EVERY_MS = 500;
const BODY_BYTES = 100_000;
const GRPC_PREFIX = Buffer.from([0, 0, 1, 0x86, 0xa0]);
const TRACES = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

/** How slow clients were answered: by status, or `cut` where the connection ended without an answer. */
export type Answers = ReadonlyMap<string, number>;

/** Clients that send their bodies a byte at a time over HTTP, or begin a message over gRPC and then nothing. */
export class SlowClients {
  readonly #stack: TestStack;
  readonly #key: string;
  readonly #sockets: TLSSocket[] = [];
  readonly #sessions: ClientHttp2Session[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #answers = new Map<string, number>();
  readonly #startedMs = performance.now();
  #open = 0;
  #lastMs = 0;

  constructor(stack: TestStack, tenant: string) {
    this.#stack = stack;
    this.#key = stack.key(tenant);
  }

  /** Those that have not been answered. */
  get open(): number {
    return this.#open;
  }

  get answers(): Answers {
    return this.#answers;
  }

  /** From the start to the last answer, s. */
  get lastAnswerS(): number {
    return this.#lastMs / 1_000;
  }

  /** Each on a connection of its own. */
  trickle(clients: number): void {
    const { hostname, port } = new URL(this.#stack.local.otlp.http);
    const head = `POST /v1/traces HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${this.#key}\r\ncontent-type: application/x-protobuf\r\ncontent-length: ${BODY_BYTES}\r\n\r\n`;
    for (let i = 0; i < clients; i++) {
      const socket = connectTls({ host: hostname, port: Number(port), ca: this.#stack.ca });
      const answered = this.#begin();
      socket.on('error', () => undefined);
      socket.once('secureConnect', () => {
        socket.write(head);
        this.#timers.push(setInterval(() => socket.writable && socket.write(Buffer.of(10)), BYTE_EVERY_MS));
      });
      socket.once('data', (bytes: Buffer) => answered(`HTTP ${/^HTTP\/1\.1 (\d+)/.exec(bytes.toString())?.[1]}`));
      socket.once('close', () => answered('cut'));
      this.#sockets.push(socket);
    }
  }

  /** Streams on a few connections, each with the head of a message that does not come. */
  stall(connections: number, streams: number): void {
    for (let i = 0; i < connections; i++) {
      const session = connectHttp2(this.#stack.local.otlp.grpc, { ca: this.#stack.ca });
      session.on('error', () => undefined);
      this.#sessions.push(session);
      for (let j = 0; j < streams; j++) {
        const answered = this.#begin();
        const call = session.request({
          [constants.HTTP2_HEADER_METHOD]: 'POST',
          [constants.HTTP2_HEADER_PATH]: TRACES,
          'content-type': 'application/grpc',
          te: 'trailers',
          authorization: `Bearer ${this.#key}`,
        });
        call.on('error', () => undefined);
        call.once('response', (headers) => headers['grpc-status'] && answered(`gRPC ${headers['grpc-status']}`));
        call.once('trailers', (headers) => answered(`gRPC ${headers['grpc-status']}`));
        call.once('close', () => answered('cut'));
        call.resume();
        call.write(GRPC_PREFIX);
      }
    }
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    for (const socket of this.#sockets) socket.destroy();
    for (const session of this.#sessions) session.destroy();
  }

  #begin(): (how: string) => void {
    this.#open++;
    let over = false;
    return (how) => {
      if (over) return;
      over = true;
      this.#open--;
      this.#lastMs = performance.now() - this.#startedMs;
      this.#answers.set(how, (this.#answers.get(how) ?? 0) + 1);
    };
  }
}
