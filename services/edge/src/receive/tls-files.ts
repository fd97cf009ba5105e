import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Clock, Component } from '@weir/pipeline';
import { LIMITS } from '../limits.ts';

/** Certificates as PEM. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly clientCa: Buffer | undefined;
  /** When the certificate ends, s since the epoch. */
  readonly expiresS: number;
}

export interface TlsPaths {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCaFile: string | undefined;
}

/**
 * The TLS files, read again when they change. What does not fit together (a new certificate whose key is not there yet)
 * is left alone until it does, and so are authorities that are not certificates all of them: the old ones stay in use.
 */
export class TlsFiles implements Component {
  readonly name = 'tls files';
  readonly #paths: TlsPaths;
  readonly #clock: Clock;
  readonly #onFault: (error: unknown) => void;
  readonly #listeners = new Set<(material: TlsMaterial) => void>();
  readonly #stopping = new AbortController();
  #current: TlsMaterial;
  #running: Promise<void> | undefined;

  /** @throws when the files cannot be read or do not fit together */
  constructor(paths: TlsPaths, clock: Clock, onFault: (error: unknown) => void) {
    this.#paths = paths;
    this.#clock = clock;
    this.#onFault = onFault;
    this.#current = read(paths);
  }

  get current(): TlsMaterial {
    return this.#current;
  }

  /** Calls back with each new material, not with the present one. */
  onChange(listener: (material: TlsMaterial) => void): void {
    this.#listeners.add(listener);
  }

  async start(): Promise<void> {
    this.#running = this.#watch();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #watch(): Promise<void> {
    let told = false;
    for (;;) {
      await this.#clock.sleep(LIMITS.tlsPollMs, this.#stopping.signal).catch(() => undefined);
      if (this.#stopping.signal.aborted) return;
      try {
        const found = read(this.#paths);
        told = false;
        if (same(found, this.#current)) continue;
        this.#current = found;
        for (const listener of this.#listeners) listener(found);
      } catch (error) {
        if (!told) this.#onFault(error);
        told = true;
      }
    }
  }
}

function read(paths: TlsPaths): TlsMaterial {
  const cert = readFileSync(paths.certFile);
  const key = readFileSync(paths.keyFile);
  const clientCa = paths.clientCaFile === undefined ? undefined : readFileSync(paths.clientCaFile);
  if (paths.clientCaFile !== undefined && clientCa !== undefined) checkAuthorities(paths.clientCaFile, clientCa);
  createSecureContext({ cert, key, ca: clientCa });
  return { cert, key, clientCa, expiresS: Date.parse(new X509Certificate(cert).validTo) / 1_000 };
}

/**
 * Node passes over what it cannot read of authorities, and then refuses the clients that they signed.
 *
 * @throws when the file holds none, or a block that is not a whole certificate: it may be half written
 */
function checkAuthorities(file: string, pem: Buffer): void {
  const parts = pem.toString('latin1').split(/^(?=-----BEGIN )/m);
  const blocks = parts.filter((part) => part.startsWith('-----BEGIN '));
  if (blocks.length === 0) throw new Error(`${file} holds no authorities in PEM`);
  for (const [index, block] of blocks.entries()) {
    try {
      new X509Certificate(block);
    } catch (cause) {
      throw new Error(`${file}: block ${index + 1} of its authorities is not a whole certificate`, { cause });
    }
  }
}

function same(a: TlsMaterial, b: TlsMaterial): boolean {
  const caSame =
    a.clientCa === undefined ? b.clientCa === undefined : b.clientCa !== undefined && a.clientCa.equals(b.clientCa);
  return a.cert.equals(b.cert) && a.key.equals(b.key) && caSame;
}
