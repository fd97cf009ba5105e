import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';

/** Where a benchmark was run. */
export interface Machine {
  readonly cores: number;
  /** Its model, and which generation: hosts of others often say no more than a family's name. */
  readonly cpu: string;
  readonly memoryGiB: number;
}

/** This one. */
export function machine(): Machine {
  return {
    cores: availableParallelism(),
    cpu: cpuOf(cpus()[0]?.model, cpuInfo()),
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
  };
}

/** @param info what Linux says of it; empty elsewhere */
export function cpuOf(model: string | undefined, info: string): string {
  const numberOf = (field: string) => new RegExp(`^${field}\\s*: (\\d+)$`, 'm').exec(info)?.[1];
  const [family, number] = [numberOf('cpu family'), numberOf('model')];
  const name = model?.trim() || 'unknown';
  return family === undefined || number === undefined ? name : `${name}, family ${family} model ${number}`;
}

function cpuInfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return '';
  }
}
