import type { Log } from '@weir/delivery';
import type { Clock, Component } from '@weir/pipeline';
import { CONTROL_TOPICS, encodeFlowReport, type FlowReport } from '@weir/records';

const PARTITION = 0;

/** Tells the edges on weir.flow, at even times, how full this sink is. A report that cannot be sent is not sent later. */
export function createReporter(
  log: Log,
  clock: Clock,
  options: { readonly everyMs: number; readonly onFault: (error: unknown) => void },
  look: () => Omit<FlowReport, 'atMs'>,
): Component {
  const stopping = new AbortController();
  let running: Promise<void> | undefined;
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await clock.sleep(options.everyMs, stopping.signal).catch(() => undefined);
      if (stopping.signal.aborted) return;
      const report: FlowReport = { ...look(), atMs: Number(clock.wallNs() / 1_000_000n) };
      const record = { key: Buffer.from(report.reporter), value: encodeFlowReport(report), meta: null };
      try {
        await log.append(CONTROL_TOPICS.flow, PARTITION, [record], stopping.signal);
      } catch (error) {
        if (!stopping.signal.aborted) options.onFault(error);
      }
    }
  };
  return {
    name: 'flow reporter',
    start: async () => {
      running = run();
    },
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
