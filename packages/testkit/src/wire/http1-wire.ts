import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';

/** A response as it stands on the wire. */
export interface Http1Answer {
  readonly status: number;
  /** Names in lower case; a repeated header's values in the order in which they came. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly body: Buffer;
  /** Statuses of the interim responses (1xx) before it. */
  readonly interim: readonly number[];
}

/** What is sent for a request; every header is written as it is given, and no other. */
export interface Http1Request {
  readonly method?: string;
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: Uint8Array;
}

/** The bytes of a request. A `host` is added, and nothing else: not even a content-length. */
export function http1Bytes({ method = 'POST', path, headers, body }: Http1Request): Buffer {
  const lines = [
    `${method} ${path} HTTP/1.1`,
    'host: localhost',
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body ?? Buffer.alloc(0)]);
}

const END_OF_HEAD = Buffer.from('\r\n\r\n');

/** One HTTP/1.1 connection over TLS on which a test writes the bytes that it likes. */
export class Http1Wire {
  readonly socket: TLSSocket;
  /** Resolves when the other side, or we, closed it. */
  readonly closed: Promise<void>;
  #bytes: Buffer = Buffer.alloc(0);
  #ended = false;
  #wake: () => void = () => undefined;

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (piece: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, piece]);
      this.#wake();
    });
    const over = () => {
      this.#ended = true;
      this.#wake();
    };
    socket.once('end', over);
    this.closed = new Promise((resolve) =>
      socket.once('close', () => {
        over();
        resolve();
      }),
    );
  }

  /** @throws where the connection or its handshake fails */
  static async open(url: string, options: ConnectionOptions): Promise<Http1Wire> {
    const { hostname, port } = new URL(url);
    const tls = { host: hostname, port: Number(port), servername: hostname, ALPNProtocols: ['http/1.1'], ...options };
    const socket = connect(tls);
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve);
      socket.once('error', reject);
    });
    return new Http1Wire(socket);
  }

  write(bytes: Uint8Array): void {
    if (this.socket.writable) this.socket.write(bytes);
  }

  /** The next response that is not an interim one; undefined where the connection ended without one. */
  async answer(timeoutMs = 30_000): Promise<Http1Answer | undefined> {
    const interim: number[] = [];
    const deadline = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const read = readAnswer(this.#bytes, this.#ended);
      if (read === undefined) {
        if (this.#ended || deadline.aborted) return undefined;
        await this.#more(deadline);
        continue;
      }
      this.#bytes = this.#bytes.subarray(read.bytes);
      if (read.answer.status >= 200) return { ...read.answer, interim };
      interim.push(read.answer.status);
    }
  }

  destroy(): void {
    this.socket.destroy();
  }

  #more(deadline: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      deadline.addEventListener('abort', () => resolve(), { once: true });
    });
  }
}

/** The first response of the bytes, and its length; undefined where it is not whole yet. */
function readAnswer(
  bytes: Buffer,
  ended: boolean,
): { readonly answer: Omit<Http1Answer, 'interim'>; readonly bytes: number } | undefined {
  const end = bytes.indexOf(END_OF_HEAD);
  if (end < 0) return undefined;
  const [line = '', ...fields] = bytes.toString('latin1', 0, end).split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(line)?.[1]);
  const headers = new Map<string, string[]>();
  for (const field of fields) {
    const colon = field.indexOf(':');
    const name = field.slice(0, colon).toLowerCase();
    headers.set(name, [...(headers.get(name) ?? []), field.slice(colon + 1).trim()]);
  }
  const from = end + END_OF_HEAD.length;
  const body = readBody(bytes, from, status, headers, ended);
  if (body === undefined) return undefined;
  return { answer: { status, headers, body: body.bytes }, bytes: body.end };
}

function readBody(
  bytes: Buffer,
  from: number,
  status: number,
  headers: ReadonlyMap<string, readonly string[]>,
  ended: boolean,
): { readonly bytes: Buffer; readonly end: number } | undefined {
  if (status < 200 || status === 204) return { bytes: Buffer.alloc(0), end: from };
  const length = headers.get('content-length')?.[0];
  if (length !== undefined) {
    const end = from + Number(length);
    return bytes.length < end ? undefined : { bytes: bytes.subarray(from, end), end };
  }
  if (headers.get('transfer-encoding')?.[0] === 'chunked') return readChunks(bytes, from);
  return ended ? { bytes: bytes.subarray(from), end: bytes.length } : undefined;
}

function readChunks(bytes: Buffer, from: number): { readonly bytes: Buffer; readonly end: number } | undefined {
  const chunks: Buffer[] = [];
  for (let at = from; ; ) {
    const line = bytes.indexOf('\r\n', at);
    if (line < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16);
    const end = line + 2 + size + 2;
    if (bytes.length < end) return undefined;
    if (size === 0) return { bytes: Buffer.concat(chunks), end };
    chunks.push(bytes.subarray(line + 2, line + 2 + size));
    at = end;
  }
}
