import { renameSync, statSync, writeFileSync } from 'node:fs';

/** Puts another text into a file that is there: all of it or nothing, and with the same rights. */
export function writeFile(path: string, text: string): void {
  const next = `${path}.${process.pid}`;
  writeFileSync(next, text, { mode: statSync(path).mode & 0o777 });
  renameSync(next, path);
}
