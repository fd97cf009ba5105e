import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';

const url = (path: string) => pathToFileURL(join(import.meta.dirname, path)).href;

test('a process kills itself at the step that the file names and at no other, and says where it was', async () => {
  const scratch = mkdtempSync(join(tmpdir(), 'weir-fault-signal-'));
  const file = join(scratch, 'fault-point');
  const program = `
    const { listenForFaults } = await import(${JSON.stringify(url('fault-signal.ts'))});
    const { faultPoint } = await import('@weir/pipeline');
    listenForFaults(${JSON.stringify(file)});
    setInterval(() => { faultPoint('sink.before_cut'); faultPoint('sink.after_cut'); }, 10);
    console.log('listening');
  `;
  writeFileSync(file, 'sink.after_cut');
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(child.stdout, 'data');
    child.kill('SIGUSR2');
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
    expect(readFileSync(`${file}.reached`, 'utf8')).toBe(`${child.pid} sink.after_cut`);
  } finally {
    child.kill('SIGKILL');
    rmSync(scratch, { recursive: true, force: true });
  }
});
