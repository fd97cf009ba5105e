import { createServer, connect as dial, type Server, type Socket } from 'node:net';

/** What a proxy does to the connections that go through it. */
export interface ProxyFault {
  /** Each answer arrives so much later. */
  readonly delayMs?: number;
  /** Chance that the answer to come is swallowed and its connection cut: what was asked for has been done. */
  readonly cutAnswers?: number;
  /** Requests that hold this text are swallowed and their connection cut: they have not arrived. */
  readonly cutRequests?: string;
  /** Connections are cut and none is made. */
  readonly down?: boolean;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

/** Stands between a client and a server on loopback, and lets everything pass until it is told otherwise. */
export class TcpProxy {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #target: number;
  readonly #random: () => number;
  #fault: ProxyFault = {};
  /** Answers that were swallowed. */
  cuts = 0;

  constructor(target: number, random: () => number) {
    this.#target = target;
    this.#random = random;
    this.#server = createServer((client) => this.#accept(client));
  }

  /** Listens on a free port and returns it. */
  listen(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(0, '127.0.0.1', () => resolve((this.#server.address() as { port: number }).port));
    });
  }

  set fault(fault: ProxyFault) {
    this.#fault = fault;
    if (fault.down === true) for (const pair of this.#pairs) this.#cut(pair);
  }

  async close(): Promise<void> {
    for (const pair of this.#pairs) this.#cut(pair);
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    if (this.#fault.down === true) {
      client.destroy();
      return;
    }
    const server = dial(this.#target, '127.0.0.1');
    const pair: Pair = { client, server };
    this.#pairs.add(pair);
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', () => this.#cut(pair));
      socket.on('close', () => this.#cut(pair));
    }
    client.on('data', (chunk: Buffer) => this.#ask(pair, chunk));
    server.on('data', (chunk: Buffer) => this.#answer(pair, chunk));
  }

  #ask(pair: Pair, chunk: Buffer): void {
    const { cutRequests } = this.#fault;
    if (cutRequests !== undefined && chunk.includes(cutRequests)) this.#cut(pair);
    else pair.server.write(chunk);
  }

  #answer(pair: Pair, chunk: Buffer): void {
    const { delayMs = 0, cutAnswers = 0 } = this.#fault;
    if (cutAnswers > 0 && this.#random() < cutAnswers) {
      this.cuts++;
      this.#cut(pair);
      return;
    }
    if (delayMs === 0) pair.client.write(chunk);
    else setTimeout(() => pair.client.writable && pair.client.write(chunk), delayMs);
  }

  #cut(pair: Pair): void {
    if (!this.#pairs.delete(pair)) return;
    pair.client.destroy();
    pair.server.destroy();
  }
}
