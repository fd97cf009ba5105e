import type { Log, LogRecord } from '@weir/delivery';
import type { Clock, Component } from '@weir/pipeline';

const PARTITION = 0;
const READ = { maxBytes: 1024 ** 2, maxWaitMs: 500 };
const RETRY_MS = 500;

/**
 * Hands on each record of a control topic from now on. What was there before says nothing about now, and so does what came
 * while Kafka could not be read: both are passed over.
 */
export function followTopic(
  log: Log,
  clock: Clock,
  options: { readonly topic: string; readonly name: string; readonly onFault: (error: unknown) => void },
  take: (record: LogRecord) => void,
): Component {
  const stopping = new AbortController();
  const { signal } = stopping;
  let running: Promise<void> | undefined;
  const run = async (): Promise<void> => {
    let offset = -1;
    while (!signal.aborted) {
      try {
        if (offset < 0) offset = (await log.bounds(options.topic, PARTITION, signal)).end;
        const page = await log.read(options.topic, PARTITION, offset, READ, signal);
        for (const record of page.records) take(record);
        offset = page.nextOffset;
      } catch (error) {
        if (signal.aborted) return;
        options.onFault(error);
        offset = -1;
        await clock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
    }
  };
  return {
    name: options.name,
    start: async () => {
      running = run();
    },
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
