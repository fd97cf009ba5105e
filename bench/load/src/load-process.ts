import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { LoadReport } from './load-report.ts';
import type { LoadOptions } from './run-load.ts';

const PROGRAM = fileURLToPath(new URL('./load-process-main.ts', import.meta.url));

/** What the process is sent: the certificate as text, and no clock. */
export interface LoadOrder {
  readonly ca: string | undefined;
  readonly options: Omit<LoadOptions, 'timeMs'>;
}

/**
 * Runs a load in a process of its own, so that who measures does not take part of the generator's time. The process ends with its
 * load, or with us.
 * @throws Error where it ends without a report; the signal's reason
 */
export async function runLoadProcess(
  options: Omit<LoadOptions, 'timeMs'>,
  signal: AbortSignal = new AbortController().signal,
): Promise<LoadReport> {
  signal.throwIfAborted();
  const child = fork(PROGRAM, { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const ended = () => child.kill('SIGKILL');
  signal.addEventListener('abort', ended);
  try {
    return await new Promise<LoadReport>((resolve, reject) => {
      child.once('message', (report) => resolve(report as LoadReport));
      child.once('error', reject);
      child.once('exit', (code, why) => {
        reject(signal.aborted ? signal.reason : new Error(`the load generator ended with ${why ?? code}`));
      });
      const { target, ...rest } = options;
      const order: LoadOrder = {
        ca: target.ca?.toString(),
        options: { ...rest, target: { ...target, ca: undefined } },
      };
      child.send(order);
    });
  } finally {
    signal.removeEventListener('abort', ended);
  }
}
