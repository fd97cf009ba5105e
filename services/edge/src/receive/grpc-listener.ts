import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { TlsFiles } from './tls-files.ts';

/** Where and how connections are taken. */
export interface ListenerOptions {
  readonly listen: { readonly host: string; readonly port: number };
  readonly tls: TlsFiles;
  readonly clientRequired: boolean;
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
    const { tls, listen, clientRequired, connectionsMax, handshakeTimeoutMs } = this.#options;
    const { cert, key, clientCa } = tls.current;
    const server = createServer(
      {
        cert,
        key,
        ca: clientCa,
        requestCert: clientCa !== undefined,
        rejectUnauthorized: clientRequired,
        minVersion: 'TLSv1.2',
        ALPNProtocols: ['h2'],
        handshakeTimeout: handshakeTimeoutMs,
        noDelay: true,
      },
      (socket) => this.#take(socket),
    );
    server.maxConnections = connectionsMax;
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    tls.onChange((material) =>
      server.setSecureContext({ cert: material.cert, key: material.key, ca: material.clientCa }),
    );
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(listen.port, listen.host, () => resolve());
    });
  }

  /** Takes no more connections; those that were taken are the library's to close. */
  stop(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  /** A client may come without a certificate, unless one is required; one with a bad certificate is refused. */
  #take(socket: TLSSocket): void {
    const bad = !socket.authorized && Object.keys(socket.getPeerCertificate()).length > 0;
    // A handshake may end after the receiver has stopped.
    if (bad || this.#server === undefined) socket.destroy();
    else this.#onConnection(socket);
  }
}
