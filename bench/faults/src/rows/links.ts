import { during, type FaultRow } from './row.ts';

const LINKS: readonly FaultRow[] = (['kafka', 'clickhouse'] as const).flatMap((link): FaultRow[] => [
  {
    name: `delay-${link}`,
    fault: `500 ms delay on the link to ${link}`,
    strike: (stack) =>
      during((on) => {
        stack[link].fault = on ? { delayMs: 500 } : {};
      }, 6_000),
  },
  {
    name: `cut-${link}`,
    fault: `the network to ${link} cut for 5 s`,
    strike: (stack) =>
      during((on) => {
        stack[link].fault = on ? { down: true } : {};
      }, 5_000),
  },
]);

/** The links to Kafka and ClickHouse: slow, cut, or losing answers. */
export const LINK_ROWS: readonly FaultRow[] = [
  {
    name: 'insert-answer-cut',
    fault: 'insert applied, answer cut (a proxy)',
    short: true,
    strike: (stack) =>
      during((on) => {
        stack.clickhouse.fault = on ? { cutAnswers: 0.7 } : {};
      }, 5_000),
  },
  {
    name: 'produce-answer-cut',
    fault: 'produce applied, answer cut, other sends concurrent (a proxy)',
    short: true,
    strike: (stack) =>
      during((on) => {
        stack.kafka.fault = on ? { cutAnswers: 0.05 } : {};
      }, 5_000),
  },
  ...LINKS,
];
