import { Agent } from 'node:https';
import type { Duplex } from 'node:stream';
import type { ClientTls } from '@weir/pipeline';

type Connect = Parameters<Agent['createConnection']>;

/**
 * Connections to ClickHouse over TLS. What is shown and trusted is asked for at each connection. The client's own `tls`
 * option takes a certificate for the user's proof, and then no password; here the certificate is beside it.
 */
export class TlsAgent extends Agent {
  readonly #tls: ClientTls;

  constructor(tls: ClientTls, connectionsMax: number) {
    // A session that is resumed goes on with the certificates that it began with.
    super({ keepAlive: true, maxSockets: connectionsMax, maxCachedSessions: 0 });
    this.#tls = tls;
  }

  override createConnection(options: Connect[0], callback?: Connect[1]): Duplex | null | undefined {
    const { serverName } = this.#tls;
    const name = serverName === undefined ? {} : { servername: serverName };
    return super.createConnection({ ...options, ...this.#tls.material(), ...name }, callback);
  }
}
