import type { Log } from '@weir/delivery';
import type { Clock, Component } from '@weir/pipeline';
import { CONTROL_TOPICS, encodeFlowReport, type FlowReport } from '@weir/records';

const PARTITION = 0;
const EVERY_MS = 1_000;
/** How long a process that stops tries to say so. */
const GOODBYE_MS = 1_000;

/**
 * Tells the edges on weir.flow, every second, how full this process is. A report that cannot be sent is not sent later.
 * When it stops it says goodbye, so that nobody waits until its last report is stale.
 */
export function createFlowReporter(
  log: Log,
  clock: Clock,
  onFault: (error: unknown) => void,
  look: () => Omit<FlowReport, 'atMs' | 'leaving'>,
): Component {
  const stopping = new AbortController();
  let running: Promise<void> | undefined;
  const send = async (fields: Pick<FlowReport, 'leaving'>, signal: AbortSignal): Promise<void> => {
    const report: FlowReport = { ...look(), ...fields, atMs: Number(clock.wallNs() / 1_000_000n) };
    const record = { key: Buffer.from(report.reporter), value: encodeFlowReport(report), meta: null };
    try {
      await log.append(CONTROL_TOPICS.flow, PARTITION, [record], signal);
    } catch (error) {
      if (!signal.aborted) onFault(error);
    }
  };
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await clock.sleep(EVERY_MS, stopping.signal).catch(() => undefined);
      if (!stopping.signal.aborted) await send({ leaving: false }, stopping.signal);
    }
  };
  return {
    name: 'flow reporter',
    start: async () => {
      running = run();
    },
    stop: async (signal) => {
      const started = running;
      running = undefined;
      stopping.abort();
      await started;
      if (started === undefined) return;
      const said = send({ leaving: true }, signal);
      await Promise.race([said, clock.sleep(GOODBYE_MS, signal).catch(() => undefined)]);
    },
  };
}
