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
  #server: Server | undefined;

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

  /** Takes no more connections; those that were taken are the library's to close. */
  stop(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  #take(socket: TLSSocket): void {
    // A handshake may end after the receiver has stopped.
    if (hasBadCertificate(socket) || this.#server === undefined) socket.destroy();
    else this.#onConnection(socket);
  }
}
