import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test, vi } from 'vitest';

const HOUR_MS = 3_600_000;
const SERVICE = `
setInterval(() => {
  const wall = [Date.now(), new Date().getTime(), Date.parse(Date())];
  console.log(JSON.stringify({ wall, fixed: new Date(5).getTime(), isDate: new Date() instanceof Date, monotonic: performance.now() }));
}, 20);
`;

interface Said {
  readonly wall: readonly number[];
  readonly fixed: number;
  readonly isDate: boolean;
  readonly monotonic: number;
}

test('the wall clock of a service is off by what its file says, and jumps with it; its monotonic clock goes on', async () => {
  const scratch = mkdtempSync(join(tmpdir(), 'weir-clock-'));
  const main = join(scratch, 'services/edge/src/main.ts');
  mkdirSync(join(main, '..'), { recursive: true });
  writeFileSync(main, SERVICE);
  const set = (offsetMs: number) => {
    writeFileSync(join(scratch, 'new'), String(offsetMs));
    renameSync(join(scratch, 'new'), join(scratch, 'clock-edge'));
  };
  set(HOUR_MS);
  const preload = pathToFileURL(join(import.meta.dirname, 'shifted-clock.ts')).href;
  const child = spawn(process.execPath, ['--import', preload, main], {
    env: { ...process.env, WEIR_FAULT_POINTS_FILE: join(scratch, 'fault-point') },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said: Said[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    for (const line of text.split('\n')) if (line !== '') said.push(JSON.parse(line) as Said);
  });
  const isOff = (offsetMs: number) =>
    vi.waitFor(
      () => {
        for (const wallMs of said.at(-1)?.wall ?? [0]) {
          expect(Math.abs(wallMs - Date.now() - offsetMs)).toBeLessThan(60_000);
        }
      },
      { timeout: 20_000 },
    );
  try {
    await isOff(HOUR_MS);
    set(-HOUR_MS);
    await isOff(-HOUR_MS);
    const monotonic = said.map((each) => each.monotonic);
    expect(monotonic).toEqual(monotonic.toSorted((a, b) => a - b));
    expect(monotonic.at(-1)! - monotonic[0]!).toBeLessThan(60_000);
    expect(said.every(({ fixed, isDate }) => fixed === 5 && isDate)).toBe(true);
  } finally {
    child.kill('SIGKILL');
    rmSync(scratch, { recursive: true, force: true });
  }
}, 60_000);
