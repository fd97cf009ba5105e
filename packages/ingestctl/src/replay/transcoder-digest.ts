import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Whose sources say which rows a window gives, and in which batches they go in: `@weir/normalize` and all that it is made of, and the
 * replay. Folders beside each other, in a checkout as in an image, where sources run as they are.
 */
export const TRANSCODER_FOLDERS = [
  'delivery/src',
  'ingestctl/src/replay',
  'native/src',
  'normalize/src',
  'otlp/src',
  'pipeline/src',
  'records/src',
  'tenancy/src',
] as const;

const PACKAGES = join(import.meta.dirname, '../../..');
const DIGEST_CHARS = 16;

/** Tells the transcoder of one release from that of another; tests are no part of it. */
export function transcoderDigest(packages = PACKAGES, folders: readonly string[] = TRANSCODER_FOLDERS): string {
  const hash = createHash('sha256');
  for (const folder of folders) {
    const names = readdirSync(join(packages, folder), { recursive: true, encoding: 'utf8' });
    const sources = names.map((name) => name.replaceAll('\\', '/')).filter(isSource);
    for (const name of sources.sort()) {
      const text = readFileSync(join(packages, folder, name));
      hash.update(`${folder}/${name} ${text.length}\n`).update(text);
    }
  }
  return hash.digest('hex').slice(0, DIGEST_CHARS);
}

function isSource(name: string): boolean {
  return name.endsWith('.ts') && !name.endsWith('.test.ts');
}
