import { type FaultRow, strikeLink } from './row.ts';

const PLACES = { kafka: 'Kafka', clickhouse: 'ClickHouse', edge: 'the edge, from Envoy' } as const;

const LINKS: readonly FaultRow[] = (['kafka', 'clickhouse', 'edge'] as const).flatMap((link): FaultRow[] => [
  {
    name: `delay-${link}`,
    fault: `500 ms delay on the link to ${PLACES[link]}`,
    strike: (stack) => strikeLink(stack[link], { delayMs: 500 }, 6_000),
  },
  {
    name: `cut-${link}`,
    fault: `the network to ${PLACES[link]} cut for 5 s`,
    strike: (stack) => strikeLink(stack[link], { down: true }, 5_000),
  },
  {
    name: `loss-${link}`,
    fault: `packet loss on the link to ${PLACES[link]}, as TCP shows it: stalls and resets`,
    strike: (stack) => strikeLink(stack[link], { loss: 0.03 }, 8_000),
  },
]);

/** The links to Kafka, ClickHouse and the edge: slow, cut, or losing answers. */
export const LINK_ROWS: readonly FaultRow[] = [
  {
    name: 'insert-answer-cut',
    fault: 'insert applied, answer cut (a proxy)',
    short: true,
    strike: (stack) => strikeLink(stack.clickhouse, { cutAnswers: 0.7 }, 5_000),
  },
  {
    name: 'produce-answer-cut',
    fault: 'produce applied, answer cut, other sends concurrent (a proxy)',
    short: true,
    strike: (stack) => strikeLink(stack.kafka, { cutAnswers: 0.05 }, 5_000),
  },
  ...LINKS,
];
