import { readFileSync } from 'node:fs';
import { createProgram } from '../src/index.ts';
import type { Outside } from '../src/outside.ts';
import { writeFile } from '../src/write-file.ts';

/** How a command ended. */
export interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Runs ingestctl in this process, without a terminal: files are those of the machine, the environment is empty, but for what is given. */
export async function runProgram(args: readonly string[], outside: Partial<Outside> = {}): Promise<Ran> {
  let out = '';
  let err = '';
  const program = createProgram({
    env: {},
    readFile: (path) => readFileSync(path, 'utf8'),
    writeFile,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    terminal: false,
    ...outside,
  });
  const status = await program.run(args);
  return { status, out, err };
}
