import { readFileSync } from 'node:fs';
import { FAULT_POINTS, type FaultPoint, onFaultPoint } from '@weir/pipeline';

/** An insert is under way for some milliseconds: the blow falls in the middle of it. */
const IN_INSERT_MS = 5;

/**
 * For fault tests: on SIGUSR2 reads the name of a fault point from the file and kills this process, as `kill -9` does, when
 * it next comes there.
 */
export function listenForFaults(file: string): void {
  process.on('SIGUSR2', () => {
    const wanted = readFileSync(file, 'utf8').trim();
    if (!FAULT_POINTS.includes(wanted as FaultPoint)) return;
    onFaultPoint((at) => {
      if (at !== wanted) return;
      if (at === 'sink.in_insert') setTimeout(() => process.kill(process.pid, 'SIGKILL'), IN_INSERT_MS);
      else process.kill(process.pid, 'SIGKILL');
    });
  });
}
