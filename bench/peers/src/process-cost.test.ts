import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { parseProcStat } from '@weir/testkit';
import { expect, test, vi } from 'vitest';
import { cpuSeconds, ProcessMeter, parsePeakMib } from './process-cost.ts';

const LINE =
  '4242 (we (ir) 1) S 1 4242 4242 0 -1 4194560 81003 512 3 0 1234 567 89 10 20 0 11 0 99887766 10198468000 102702 18446744073709551615 1 1 0 0 0 0 0 16781312 134234626 0 0 0 17 1 0 0 0 0 0\n';

test('the times of a process, of its ended children and its start are read, whatever its name', () => {
  expect(parseProcStat(LINE)).toEqual({
    userTicks: 1_234,
    systemTicks: 567,
    childUserTicks: 89,
    childSystemTicks: 10,
    threads: 11,
    startTicks: 99_887_766,
  });
  expect(cpuSeconds(parseProcStat(LINE), 100)).toBe(19);
});

test('what is no stat is an error', () => {
  expect(() => parseProcStat('4242 (weir) S 1')).toThrow('field 14');
  expect(() => parsePeakMib('Name:\tweir\n')).toThrow('memory');
});

test('the peak of the memory is in MiB', () => {
  expect(parsePeakMib('VmPeak:\t  999999 kB\nVmHWM:\t  204800 kB\nVmRSS:\t     1 kB\n')).toBe(200);
});

test('a meter counts the threads of a process from its reset on', async () => {
  // Two threads that burn until the line on standard input; then none does.
  const code = `
    const { Worker } = require('node:worker_threads');
    const flag = new Int32Array(new SharedArrayBuffer(4));
    const burn = "const { workerData, parentPort } = require('node:worker_threads'); while (workerData[0] === 0) {} parentPort.close()";
    for (let i = 0; i < 2; i++) new Worker(burn, { eval: true, workerData: flag });
    process.stdin.once('data', () => { flag[0] = 1; });
    setTimeout(() => console.log('burning'), 300);
    process.stdin.on('end', () => process.exit());`;
  const child = spawn(process.execPath, ['-e', code], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    await once(child.stdout, 'data');
    const meter = new ProcessMeter(child.pid!);
    meter.reset();
    await vi.waitFor(() => expect(meter.cpuS()).toBeGreaterThan(0.1), 10_000);
    expect(meter.peakMib()).toBeGreaterThan(10);
    child.stdin.write('\n');
    await vi.waitFor(async () => {
      meter.reset();
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(meter.cpuS()).toBeLessThan(0.05);
    }, 20_000);
  } finally {
    child.kill('SIGKILL');
  }
});
