import { createServer, type Server, type TLSSocket } from 'node:tls';
import { hasBadCertificate, openTlsPort, type TlsPortOptions, tlsOptions } from './tls-port.ts';

/** Where and how connections are taken. */
export interface ListenerOptions extends TlsPortOptions {
  /** Those that have not finished their handshake count, too. */
  readonly connectionsMax: number;
  readonly handshakeTimeoutMs: number;
}

/**
 * The TLS port of the gRPC receiver. grpc-js's own port has no bound on connections and waits two minutes for a handshake;
 * its connection injector takes them from here. Certificates follow the files.
 */
export class GrpcListener {
  readonly #options: ListenerOptions;
  readonly #onConnection: (socket: TLSSocket) => void;
  readonly #sockets = new Set<TLSSocket>();
  #server: Server | undefined;
  #allClosed: () => void = () => undefined;

  constructor(options: ListenerOptions, onConnection: (socket: TLSSocket) => void) {
    this.#options = options;
    this.#onConnection = onConnection;
  }

  async start(): Promise<void> {
    const { connectionsMax, handshakeTimeoutMs } = this.#options;
    const server = createServer(
      { ...tlsOptions(this.#options), ALPNProtocols: ['h2'], handshakeTimeout: handshakeTimeoutMs },
      (socket) => this.#take(socket),
    );
    server.maxConnections = connectionsMax;
    this.#server = server;
    await openTlsPort(server, this.#options);
  }

  /** Takes no more connections. Those that were taken are the library's to close; resolves when all of them are. */
  async stop(): Promise<void> {
    this.#server?.close();
    this.#server = undefined;
    if (this.#sockets.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#allClosed = resolve;
    });
  }

  #take(socket: TLSSocket): void {
    // A handshake may end after the receiver has stopped.
    if (hasBadCertificate(socket) || this.#server === undefined) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) this.#allClosed();
    });
    this.#onConnection(socket);
  }
}
