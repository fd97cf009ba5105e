import { parseArgs } from 'node:util';
import type { Goal } from './point.ts';

/** What the command line asked for. */
export interface CapacityOptions {
  /** Names of parts; all where it is empty. */
  readonly parts: readonly string[];
  readonly goal: Goal;
  /** Items a second at which costs are compared; half of the highest sustained rate where it is left out. */
  readonly rate: number | undefined;
  /** The highest sustained rate, where it is not the one that is kept. */
  readonly peak: number | undefined;
  readonly seconds: number;
  /** A stack that was just started is loaded so long before. */
  readonly warmUpSeconds: number;
  readonly rounds: number;
  readonly from: number;
  readonly growth: number;
  readonly refinements: number;
  readonly backlog: number;
  readonly minutes: number;
  /** Undefined: by the machine's cores. */
  readonly searchProcesses: boolean | undefined;
  readonly resume: boolean;
  /** Only writes the reports of what is kept. */
  readonly report: boolean;
}

export const HELP = `What this machine bears, and what an item costs by how it comes: the whole stack under an open-loop load of spans.

  npm run capacity
  npm run capacity -- --part rate
  npm run capacity -- --part tenants,partitions --rate 20000 --rounds 3 --resume

  --part NAMES         parts, with commas between (default all); --list says which there are
  --rate R             spans a second at which costs are compared (default half of the highest sustained rate that is kept)
  --peak R             the highest sustained rate, instead of the one that is kept: memory is measured at twice that
  --seconds S          how long a point is loaded (default 20)
  --warm-up S          how long a stack that was just started is loaded before (default 75): until then Kafka's JVM compiles
  --rounds K           how often costs are measured (default 3); medians are reported
  --from R             where the search for a rate begins (default 20000)
  --growth G           how it grows (default 1.5)
  --refinements K      halvings of the last step (default 3)
  --p99-ms MS          goal of the search: answers, counted from when exports were due (default 1000)
  --queryable-ms MS    goal of the search: 95 % can be queried so long after the answer (default 3000)
  --backlog N          spans of the backlog that is drained (default 3000000)
  --minutes M          how long memory is measured (default 10)
  --search-processes   look for the highest rate with 1, 2 and 4 processes, too (default on 8 cores or more)
  --resume             points that are kept for this commit and the same load are left out
  --report             measure nothing: write the reports of what is kept
  --list               the parts

Points are kept in bench/results/capacity.json; capacity.md, capacity-latency.svg and docs/CAPACITY.md are written from them.
Exit status: 0 all accepted was stored once, 1 something was lost or doubled, 2 wrong usage.
`;

const NUMBERS = {
  seconds: '20',
  'warm-up': '75',
  rounds: '3',
  from: '20000',
  growth: '1.5',
  refinements: '3',
  'p99-ms': '1000',
  'queryable-ms': '3000',
  backlog: '3000000',
  minutes: '10',
} as const;

/** Undefined where help was asked for. @throws Error that says what is wrong */
export function readOptions(args: readonly string[]): (CapacityOptions & { list: boolean }) | undefined {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      part: { ...text, default: '' },
      rate: text,
      peak: text,
      seconds: { ...text, default: NUMBERS.seconds },
      'warm-up': { ...text, default: NUMBERS['warm-up'] },
      rounds: { ...text, default: NUMBERS.rounds },
      from: { ...text, default: NUMBERS.from },
      growth: { ...text, default: NUMBERS.growth },
      refinements: { ...text, default: NUMBERS.refinements },
      'p99-ms': { ...text, default: NUMBERS['p99-ms'] },
      'queryable-ms': { ...text, default: NUMBERS['queryable-ms'] },
      backlog: { ...text, default: NUMBERS.backlog },
      minutes: { ...text, default: NUMBERS.minutes },
      'search-processes': { type: 'boolean' },
      resume: flag,
      report: flag,
      list: flag,
      help: { ...flag, short: 'h' },
    },
  });
  if (values.help) return undefined;
  const numberOf = (name: string, given: string, least: number): number => {
    const value = Number(given);
    if (!(value >= least)) throw new Error(`--${name} must be a number from ${least}`);
    return value;
  };
  const needed = (name: keyof typeof NUMBERS, least = 1) => numberOf(name, values[name], least);
  const optional = (name: 'rate' | 'peak') =>
    values[name] === undefined ? undefined : numberOf(name, values[name], 1);
  return {
    parts: values.part === '' ? [] : values.part.split(','),
    goal: { answerP99Ms: needed('p99-ms'), queryableP95Ms: needed('queryable-ms') },
    rate: optional('rate'),
    peak: optional('peak'),
    seconds: needed('seconds'),
    warmUpSeconds: needed('warm-up', 0),
    rounds: needed('rounds'),
    from: needed('from'),
    growth: needed('growth', 1.05),
    refinements: needed('refinements', 0),
    backlog: needed('backlog'),
    minutes: needed('minutes', 0.1),
    searchProcesses: values['search-processes'],
    resume: values.resume,
    report: values.report,
    list: values.list,
  };
}
