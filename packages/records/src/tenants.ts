import { corrupt, type Readable, unknownVersion } from './layout.ts';

const VERSION = 1;

/** Key of the record that holds the defaults; no tenant can have this name. */
export const DEFAULTS_KEY = '#defaults';

/** Encodes the value of a weir.tenants record: what was written for one tenant, or the defaults. */
export function encodeTenantValue(spec: object): Buffer {
  return Buffer.concat([Buffer.of(VERSION), Buffer.from(JSON.stringify(spec), 'utf8')]);
}

/** Decodes the value of a weir.tenants record; what it means is checked by the reader. */
export function decodeTenantValue(value: Buffer): Readable<unknown> {
  if (value[0] !== VERSION) return unknownVersion('tenants', value[0]);
  try {
    return { ok: true, value: JSON.parse(value.toString('utf8', 1)) };
  } catch {
    return corrupt('tenants', 'not JSON');
  }
}
