import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { LossyPath } from './lossy-path.ts';

/** What a proxy does to the connections that go through it. */
export interface ProxyFault {
  /** Each answer arrives so much later. */
  readonly delayMs?: number;
  /** Chance that the answer to come is swallowed and its connection cut: what was asked for has been done. */
  readonly cutAnswers?: number;
  /** Requests that hold this text are swallowed and their connection cut: they have not arrived. */
  readonly cutRequests?: string;
  /**
   * Chance that a piece is lost on its way, in either direction: it comes as late as TCP would bring it again, and what
   * follows it waits behind it. One that is lost over and over ends its connection.
   */
  readonly loss?: number;
  /** Connections are cut and none is made. */
  readonly down?: boolean;
}

/** Something that can be struck by a {@link ProxyFault}. */
export interface Link {
  set fault(fault: ProxyFault);
  /** How often faults have struck so far: pieces that were late or lost, answers and requests swallowed, connections cut or refused. */
  readonly struck: number;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

/** Stands between a client and a server on loopback, and lets everything pass until it is told otherwise. */
export class TcpProxy implements Link {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #target: number;
  readonly #random: () => number;
  #fault: ProxyFault = {};
  struck = 0;

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
    if (fault.down === true) for (const pair of this.#pairs) this.#strike(pair);
  }

  async close(): Promise<void> {
    for (const pair of this.#pairs) this.#cut(pair);
    // Calls back with an error, and at once, where it never listened.
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    if (this.#fault.down === true) {
      this.struck++;
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
    const there = new LossyPath(server, this.#random);
    const back = new LossyPath(client, this.#random);
    client.on('data', (chunk: Buffer) => this.#ask(pair, there, chunk));
    server.on('data', (chunk: Buffer) => this.#answer(pair, back, chunk));
  }

  #ask(pair: Pair, there: LossyPath, chunk: Buffer): void {
    const { cutRequests } = this.#fault;
    if (cutRequests !== undefined && chunk.includes(cutRequests)) this.#strike(pair);
    else this.#pass(pair, there, chunk, 0);
  }

  #answer(pair: Pair, back: LossyPath, chunk: Buffer): void {
    const { delayMs = 0, cutAnswers = 0 } = this.#fault;
    if (cutAnswers > 0 && this.#random() < cutAnswers) this.#strike(pair);
    else this.#pass(pair, back, chunk, delayMs);
  }

  #pass(pair: Pair, path: LossyPath, chunk: Buffer, delayMs: number): void {
    const passed = path.pass(chunk, delayMs, this.#fault.loss ?? 0);
    if (passed !== 'on time' || delayMs > 0) this.struck++;
    if (passed === 'never') this.#cut(pair);
  }

  #strike(pair: Pair): void {
    this.struck++;
    this.#cut(pair);
  }

  #cut(pair: Pair): void {
    if (!this.#pairs.delete(pair)) return;
    for (const socket of [pair.client, pair.server]) {
      // As a connection that TCP gives up ends: not in order.
      if (this.#fault.loss === undefined) socket.destroy();
      else socket.resetAndDestroy();
    }
  }
}
