import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ClientTls, TlsMaterial } from '@weir/pipeline';
import { z } from 'zod';
import type { ConfigOf, ConfigSource } from './config.ts';
import { defineConfig, setting } from './config.ts';

const path = () => z.string().optional();

/** Files of TLS to a dependency; `name` begins their variables, such as `WEIR_KAFKA`. */
export function tlsFileSettings(name: string, server: string) {
  return defineConfig({
    caFile: setting(
      `${name}_TLS_CA_FILE`,
      path(),
      `Authorities that ${server} must be signed by, PEM; unset: Node's own. Read again for each connection.`,
    ),
    certFile: setting(
      `${name}_TLS_CERT_FILE`,
      path(),
      `Certificate to show ${server}, PEM. Read again for each connection.`,
    ),
    keyFile: setting(`${name}_TLS_KEY_FILE`, path(), 'Private key of that certificate, PEM.'),
    serverName: setting(
      `${name}_TLS_SERVER_NAME`,
      z.string().optional(),
      `Name that the certificate of ${server} must have; unset: the host that is connected to.`,
    ),
  });
}

export type TlsFileSettings = ConfigOf<ReturnType<typeof tlsFileSettings>>;
type Read = ConfigSource['readFile'];

export function readTextFile(path: string): string {
  return readFileSync(path, 'utf8');
}

/** TLS from these files. Where a file cannot be read any more, what was read last goes on. */
export function tlsFromFiles(files: TlsFileSettings, readFile: Read): ClientTls {
  let last: TlsMaterial = {};
  return {
    serverName: files.serverName,
    material: () => {
      try {
        last = {
          ...(files.caFile === undefined ? {} : { ca: readFile(files.caFile) }),
          ...(files.certFile === undefined ? {} : { cert: readFile(files.certFile) }),
          ...(files.keyFile === undefined ? {} : { key: readFile(files.keyFile) }),
        };
      } catch {
        // Being replaced, or gone: the next connection asks again.
      }
      return last;
    },
  };
}

/** Variables of these settings that are set; for a group that is not in use. */
export function tlsVariablesSet(name: string, files: TlsFileSettings): string[] {
  const named = { CA_FILE: files.caFile, CERT_FILE: files.certFile, KEY_FILE: files.keyFile };
  const all = { ...named, SERVER_NAME: files.serverName };
  return Object.entries(all).flatMap(([suffix, value]) => (value === undefined ? [] : [`${name}_TLS_${suffix}`]));
}

/** What is wrong with the files as they are now, each fault naming its variable. */
export function tlsFileFaults(name: string, files: TlsFileSettings, readFile: Read): string[] {
  const { caFile, certFile, keyFile } = files;
  const faults = authorityFaults(`${name}_TLS_CA_FILE`, caFile, readFile);
  if ((certFile === undefined) !== (keyFile === undefined)) {
    faults.push(`${name}_TLS_CERT_FILE, ${name}_TLS_KEY_FILE: set both, or neither`);
  }
  const read = <T extends object>(suffix: string, file: string | undefined, pem: Pem<T>): T | undefined => {
    const found = file === undefined ? undefined : readPem(file, pem, readFile);
    if (typeof found !== 'string') return found;
    faults.push(`${name}_TLS_${suffix}: ${found}`);
    return undefined;
  };
  const cert = read('CERT_FILE', certFile, CERTIFICATE);
  const key = read('KEY_FILE', keyFile, PRIVATE_KEY);
  if (cert !== undefined && key !== undefined && !cert.checkPrivateKey(key)) {
    faults.push(`${name}_TLS_KEY_FILE: is not the key of the certificate in ${name}_TLS_CERT_FILE`);
  }
  return faults;
}

/** What is wrong with a file of authorities as it is now; `variable` names it. */
export function authorityFaults(variable: string, file: string | undefined, readFile: Read): string[] {
  const found = file === undefined ? undefined : readPem(file, CERTIFICATE, readFile);
  return typeof found === 'string' ? [`${variable}: ${found}`] : [];
}

interface Pem<T> {
  readonly what: string;
  readonly parse: (text: string) => T;
}

const CERTIFICATE: Pem<X509Certificate> = { what: 'certificate', parse: (text) => new X509Certificate(text) };
const PRIVATE_KEY: Pem<KeyObject> = { what: 'private key without a passphrase', parse: createPrivateKey };

/** What the file holds, or why it is of no use. */
function readPem<T extends object>(file: string, { what, parse }: Pem<T>, readFile: Read): T | string {
  let text: string;
  try {
    text = readFile(file);
  } catch {
    return 'the file cannot be read';
  }
  try {
    return parse(text);
  } catch {
    return `the file holds no ${what} in PEM`;
  }
}
