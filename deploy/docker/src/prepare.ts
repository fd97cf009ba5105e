import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConfigOf } from '@weir/process';
import { hashKey, keyPrefix } from '@weir/tenancy';
import { stringify } from 'yaml';
import { createAuthority, type Issued } from './certificates.ts';
import type { PREPARE_CONFIG } from './config.ts';

/** The name that deploy/envoy/envoy.yaml asks the edge's certificate for. */
const EDGE_NAME = 'localhost';
const KEY_MODE = 0o600;
const CERTIFICATE_MODE = 0o644;

/** What came of it, for the one line that is printed. */
export type Prepared =
  | { readonly ok: true; readonly made: readonly string[] }
  | { readonly ok: false; readonly fault: string };

/**
 * Writes the certificates that Envoy and the edge read, and the first tenants.yaml, into one directory. What is there
 * already stays, so that a second `docker compose up` changes nothing; to renew the certificates remove ca.crt.
 */
export async function prepare(config: ConfigOf<typeof PREPARE_CONFIG>, now: Date): Promise<Prepared> {
  const prefix = keyPrefix(config.demoKey);
  if (prefix === undefined)
    return { ok: false, fault: 'WEIR_DEMO_KEY has not the form wk_<8>_<43>; make-env.sh makes one' };
  const path = (name: string) => join(config.directory, name);
  await mkdir(config.directory, { recursive: true });
  const made: string[] = [];

  if (!(await exists(path('ca.crt')))) {
    const authority = await createAuthority(now);
    await write(path, 'server', await authority.issue(config.hostnames));
    await write(path, 'edge', await authority.issue([EDGE_NAME]));
    await write(path, 'client', await authority.issue(['weir-envoy']));
    // Last: while it is missing all of them are made again.
    await writeFile(path('ca.crt'), authority.certificate, { mode: CERTIFICATE_MODE });
    made.push('certificates');
  }
  if (!(await exists(path('tenants.yaml')))) {
    const keys = [{ prefix, hash: `hmac-sha256:${hashKey(config.demoKey, config.pepper)}` }];
    await writeFile(path('tenants.yaml'), stringify({ version: 1, tenants: { demo: { keys } } }), { mode: KEY_MODE });
    made.push('tenants.yaml');
  }
  return { ok: true, made };
}

async function write(path: (name: string) => string, name: string, issued: Issued): Promise<void> {
  await writeFile(path(`${name}.key`), issued.key, { mode: KEY_MODE });
  await writeFile(path(`${name}.crt`), issued.certificate, { mode: CERTIFICATE_MODE });
}

async function exists(path: string): Promise<boolean> {
  return readFile(path).then(
    () => true,
    () => false,
  );
}
