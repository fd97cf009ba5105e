/** What a client shows and trusts in a TLS handshake, PEM. What is left out: no certificate of its own, the usual authorities. */
export interface TlsMaterial {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** TLS to a dependency, for the adapters. */
export interface ClientTls {
  /** The name that the server's certificate must have, where it is not the host that is connected to. */
  readonly serverName?: string | undefined;
  /** What holds now; asked for each new connection, so that files may be replaced under a running process. Never throws. */
  material(): TlsMaterial;
}
