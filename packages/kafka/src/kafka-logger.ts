import { type Clock, systemClock } from '@weir/pipeline';

/** What the adapter logs to; a pino logger fits. */
export interface KafkaLogger {
  warn(details: object, message: string): void;
  debug(details: object, message: string): void;
}

export const KAFKAJS_ERROR_LEVEL = 1;

/** A line that comes again within this time is not worth a second warning. */
const REPEATED_MS = 60_000;
const LINES_MAX = 100;

/** When each line was last a warning, for each logger: a process has many connections, and each says the same. */
const warned = new WeakMap<KafkaLogger, Map<string, number>>();

interface KafkaLine {
  readonly namespace: string;
  readonly level: number;
  readonly log: { readonly message: string; readonly broker?: string };
}

/**
 * kafkajs's log lines as ours: its errors are our warnings, since the stage that ends an error logs it. The same line
 * is a warning once a minute: each attempt to connect writes it, and attempts go on for as long as the fault lasts.
 */
export function kafkaLogCreator(logger: KafkaLogger, clock: Pick<Clock, 'nowMs'> = systemClock) {
  return () =>
    ({ namespace, level, log }: KafkaLine): void => {
      const details = { client: 'kafkajs', namespace, ...(log.broker === undefined ? {} : { broker: log.broker }) };
      if (level <= KAFKAJS_ERROR_LEVEL && isNews(logger, `${namespace} ${log.broker} ${log.message}`, clock.nowMs())) {
        logger.warn(details, log.message);
      } else logger.debug(details, log.message);
    };
}

function isNews(logger: KafkaLogger, line: string, nowMs: number): boolean {
  let lines = warned.get(logger);
  if (lines === undefined) {
    lines = new Map();
    warned.set(logger, lines);
  }
  const beforeMs = lines.get(line);
  if (beforeMs !== undefined && nowMs - beforeMs < REPEATED_MS) return false;
  lines.delete(line);
  lines.set(line, nowMs);
  if (lines.size > LINES_MAX) lines.delete(lines.keys().next().value as string);
  return true;
}
