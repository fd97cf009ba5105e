import { readFileSync, writeFileSync } from 'node:fs';
import { FAULT_POINTS, type FaultPoint, onFaultPoint } from '@weir/pipeline';

/** An insert is under way for some milliseconds: the blow falls in the middle of it. */
const IN_INSERT_MS = 5;

/**
 * For fault tests: on SIGUSR2 reads the name of a fault point from the file and kills this process, as `kill -9` does, when
 * it next comes there. Beside the file it leaves `FILE.reached` then: its pid and the name of the point.
 */
export function listenForFaults(file: string): void {
  const die = (at: FaultPoint): void => {
    writeFileSync(`${file}.reached`, `${process.pid} ${at}`);
    process.kill(process.pid, 'SIGKILL');
  };
  process.on('SIGUSR2', () => {
    const wanted = readFileSync(file, 'utf8').trim();
    if (!FAULT_POINTS.includes(wanted as FaultPoint)) return;
    onFaultPoint((at) => {
      if (at !== wanted) return;
      if (at === 'sink.in_insert') setTimeout(() => die(at), IN_INSERT_MS);
      else die(at);
    });
  });
}
