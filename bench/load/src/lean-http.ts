import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { LoadSignal } from './payload.ts';
import type { Sender, Sent, Target } from './sent.ts';

/** An export that waits for a connection or for its answer. */
interface Waiting {
  readonly head: string;
  readonly body: Buffer;
  readonly deadlineMs: number;
  readonly done: (sent: Sent) => void;
}

const TIMEOUT_MS = 15_000;
const TIMEOUT_LOOK_MS = 500;
const HEAD_END = Buffer.from('\r\n\r\n');
const NOTHING = Buffer.alloc(0);
const STATUS_AT = 'HTTP/1.1 '.length;

/** One connection with one export under way at most, as most clients have it. Opened when first used, and again when it has ended. */
class Connection {
  readonly #open: () => Socket;
  readonly #freed: (connection: Connection) => void;
  #socket: Socket | undefined;
  #waiting: Waiting | undefined;
  #received: Buffer = NOTHING;

  constructor(open: () => Socket, freed: (connection: Connection) => void) {
    this.#open = open;
    this.#freed = freed;
  }

  send(waiting: Waiting): void {
    this.#waiting = waiting;
    this.#received = NOTHING;
    this.#socket ??= this.#connect();
    this.#socket.cork();
    this.#socket.write(waiting.head, 'latin1');
    this.#socket.write(waiting.body);
    this.#socket.uncork();
  }

  /** Ends it where its export has waited too long. */
  look(nowMs: number): void {
    if (this.#waiting !== undefined && nowMs > this.#waiting.deadlineMs) this.#fail('TIMEOUT');
  }

  close(): void {
    this.#socket?.destroy();
  }

  #connect(): Socket {
    const socket = this.#open();
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error: NodeJS.ErrnoException) => this.#lost(socket, error.code ?? 'failed'));
    socket.on('close', () => this.#lost(socket, 'ECONNRESET'));
    return socket;
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const end = this.#received.indexOf(HEAD_END);
    if (end < 0) return;
    const head = this.#received.toString('latin1', 0, end).toLowerCase();
    const body = this.#received.subarray(end + HEAD_END.length);
    if (!isWhole(head, body)) return;
    const status = Number(head.slice(STATUS_AT, STATUS_AT + 3));
    // The server may say what it likes before the body is sent, and then go on.
    if (status < 200) {
      this.#received = body;
      this.#take(NOTHING);
      return;
    }
    if (head.includes('connection: close')) {
      this.#socket?.destroy();
      this.#socket = undefined;
    }
    this.#done(status === 200 ? { kind: 'accepted' } : { kind: 'refused', reason: `HTTP ${status}` });
  }

  #lost(socket: Socket, reason: string): void {
    if (socket !== this.#socket) return;
    this.#fail(reason);
  }

  #fail(reason: string): void {
    this.#socket?.destroy();
    this.#socket = undefined;
    if (this.#waiting !== undefined) this.#done({ kind: 'unknown', reason });
  }

  #done(sent: Sent): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.done(sent);
    this.#freed(this);
  }
}

/** Whether the answer's body is there. */
function isWhole(head: string, body: Buffer): boolean {
  const length = /\r\ncontent-length: *(\d+)/.exec(head);
  if (length !== null) return body.length >= Number(length[1]);
  return head.includes('transfer-encoding: chunked') ? body.toString('latin1').endsWith('0\r\n\r\n') : true;
}

/**
 * OTLP/HTTP at the least CPU for an export: many small exports would be bound by the generator otherwise. It knows as much of
 * HTTP/1.1 as the edge and Envoy answer with.
 */
export function leanHttpSender(target: Target, connections: number, headers: Readonly<Record<string, string>>): Sender {
  const { protocol, hostname, port } = new URL(target.http);
  const tls = protocol === 'https:';
  const where = { host: hostname, port: Number(port || (tls ? 443 : 80)) };
  const ca = target.ca === undefined ? {} : { ca: target.ca };
  const open = () => (tls ? connectTls({ ...where, ...ca, servername: hostname }) : connectTcp(where));
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const queue: Waiting[] = [];
  const freed = (connection: Connection) => {
    const next = queue.shift();
    if (next === undefined) free.push(connection);
    else connection.send(next);
  };
  const all = Array.from({ length: connections }, () => new Connection(open, freed));
  const free = [...all];
  const timer = setInterval(() => {
    const nowMs = performance.now();
    for (const connection of all) connection.look(nowMs);
  }, TIMEOUT_LOOK_MS);
  timer.unref();
  return {
    send: (signal: LoadSignal, body: Buffer, key: string) =>
      new Promise((done) => {
        const head = `POST /v1/${signal} HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${key}\r\n${lines.join('')}content-length: ${body.length}\r\n\r\n`;
        const waiting = { head, body, deadlineMs: performance.now() + TIMEOUT_MS, done };
        const connection = free.pop();
        if (connection === undefined) queue.push(waiting);
        else connection.send(waiting);
      }),
    close: async () => {
      clearInterval(timer);
      for (const connection of all) connection.close();
    },
  };
}
