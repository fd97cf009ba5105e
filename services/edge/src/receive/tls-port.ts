import type { Server, TLSSocket } from 'node:tls';
import type { TlsFiles } from './tls-files.ts';

/** Whose connections a port takes, and where. */
export interface TlsPortOptions {
  readonly listen: { readonly host: string; readonly port: number };
  readonly tls: TlsFiles;
  readonly clientRequired: boolean;
}

/** What every TLS port of the edge is created with. */
export function tlsOptions({ tls, clientRequired }: TlsPortOptions) {
  const { cert, key, clientCa } = tls.current;
  return {
    cert,
    key,
    ca: clientCa,
    requestCert: clientCa !== undefined,
    rejectUnauthorized: clientRequired,
    minVersion: 'TLSv1.2',
    noDelay: true,
  } as const;
}

/** Listens, and has the server's certificates follow the files. @throws when the port cannot be had */
export async function openTlsPort(server: Server, { tls, listen }: TlsPortOptions): Promise<void> {
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  tls.onChange((material) =>
    server.setSecureContext({ cert: material.cert, key: material.key, ca: material.clientCa }),
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen.port, listen.host, () => resolve());
  });
}

/** A client may come without a certificate, unless one is required; one with a bad certificate is refused. */
export function hasBadCertificate(socket: TLSSocket): boolean {
  return !socket.authorized && Object.keys(socket.getPeerCertificate()).length > 0;
}
