import { parseArgs } from 'node:util';
import type { LoadSignal, LoadTransport } from '@weir/bench-load';
import type { SeriesLoad } from './series-load.ts';

export const SYSTEM_NAMES = ['weir', 'weir-envoy', 'collector', 'rotel-kafka', 'rotel-clickhouse'] as const;
export type SystemName = (typeof SYSTEM_NAMES)[number];

const SIGNALS = ['traces', 'logs', 'metrics'] as const satisfies readonly LoadSignal[];
const TRANSPORTS = ['http', 'grpc'] as const satisfies readonly LoadTransport[];

/** What `npm run peers` was asked for. */
export interface PeersOptions {
  readonly loads: readonly SeriesLoad[];
  readonly systems: readonly SystemName[];
  readonly pairs: number;
  readonly promises: boolean;
  /** Where results go instead of bench/results. */
  readonly out: string | undefined;
}

export type ParsedPeers =
  | { readonly kind: 'run'; readonly options: PeersOptions }
  | { readonly kind: 'help' }
  | { readonly kind: 'install' }
  | { readonly kind: 'fault'; readonly message: string };

/** A load's bodies are encoded beforehand and lie in memory: some 400 MB a million. */
const ITEMS_MAX = 5_000_000;
const QUICK = { items: 20_000, pairs: 1, warmUpS: 0 };
/** As long as a point of `npm run capacity` is under load before it counts. */
const WARM_UP_S = 75;
const WARM_UP_S_MAX = 3_600;

export const PEERS_HELP = `Weir and what a user would run instead, on the same load in alternation.

  npm run peers                                            spans over HTTP, 5 pairs
  npm run peers -- --signals traces,logs,metrics --transports http,grpc --pairs 5
  npm run peers -- --quick                                 a smoke run of ${QUICK.items} items

  --signals LIST      traces, logs, metrics (default traces)
  --transports LIST   http, grpc (default http)
  --system LIST       ${SYSTEM_NAMES.join(', ')} (default all)
  --pairs N           times that each system runs each load (default 5)
  --items N           spans, log records or data points of a run (default 3000000: shorter runs are mostly what is not compiled and not merged yet; at most ${ITEMS_MAX})
  --export N          items of an export (default 1000)
  --in-flight N       exports under way at once (default 16)
  --gzip              compressed exports, over HTTP
  --warm-up S         seconds that each system is under load before the first run (default ${WARM_UP_S}, with --quick 0)
  --no-promises       do not freeze and kill to try what an answer is worth
  --quick             ${QUICK.items} items, ${QUICK.pairs} pair
  --out DIR           where results go (default bench/results, with --quick nowhere)
  --install           only build and install the peers: a few minutes the first time; needs Go and Python

Results are kept in peers.json and written to peers.md with plots, peers-*.svg.
Exit status: 0 all was run, 1 something could not be, 2 wrong usage.
`;

/** Reads the command line. */
export function parsePeers(args: readonly string[]): ParsedPeers {
  const fault = (message: string): ParsedPeers => ({ kind: 'fault', message });
  let values: ReturnType<typeof parse>;
  try {
    values = parse(args);
  } catch (error) {
    return fault(error instanceof Error ? error.message : 'the options cannot be read');
  }
  if (values.help) return { kind: 'help' };
  if (values.install) return { kind: 'install' };
  const signals = choose(SIGNALS, values.signals);
  const transports = choose(TRANSPORTS, values.transports);
  const systems = choose(SYSTEM_NAMES, values.system ?? SYSTEM_NAMES.join(','));
  if (signals === undefined) return fault(`--signals must be of ${SIGNALS.join(', ')}`);
  if (transports === undefined) return fault(`--transports must be of ${TRANSPORTS.join(', ')}`);
  if (systems === undefined) return fault(`--system must be of ${SYSTEM_NAMES.join(', ')}`);
  const pairs = Number(values.pairs ?? (values.quick ? QUICK.pairs : 5));
  const items = Number(values.items ?? (values.quick ? QUICK.items : 3_000_000));
  const warmUpS = Number(values['warm-up'] ?? (values.quick ? QUICK.warmUpS : WARM_UP_S));
  const [itemsPerExport, inFlight] = [Number(values.export), Number(values['in-flight'])];
  if (!isWhole(pairs, 100)) return fault('--pairs must be a whole number from 1 to 100');
  if (!isWhole(items, ITEMS_MAX)) return fault(`--items must be a whole number from 1 to ${ITEMS_MAX}`);
  if (!(warmUpS >= 0 && warmUpS <= WARM_UP_S_MAX)) return fault(`--warm-up must be from 0 to ${WARM_UP_S_MAX}`);
  if (!isWhole(itemsPerExport, 8_000)) return fault('--export must be a whole number from 1 to 8000');
  if (!isWhole(inFlight, 1_000)) return fault('--in-flight must be a whole number from 1 to 1000');
  if (values.gzip && transports.includes('grpc')) return fault('--gzip is over HTTP alone');
  const size = { items, itemsPerExport, inFlight, gzip: values.gzip, warmUpS };
  const loads = transports.flatMap((transport) =>
    signals.map((signal): SeriesLoad => ({ signal, transport, ...size })),
  );
  const promises = !values['no-promises'] && !values.quick;
  return {
    kind: 'run',
    options: { loads, systems, pairs, promises, out: values.out ?? (values.quick ? '' : undefined) },
  };
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    options: {
      signals: { type: 'string', default: 'traces' },
      transports: { type: 'string', default: 'http' },
      system: { type: 'string' },
      pairs: { type: 'string' },
      items: { type: 'string' },
      export: { type: 'string', default: '1000' },
      'in-flight': { type: 'string', default: '16' },
      gzip: { type: 'boolean', default: false },
      'warm-up': { type: 'string' },
      'no-promises': { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      out: { type: 'string' },
      install: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  }).values;
}

/** The named ones in their own order; undefined where one is unknown or none is named. */
function choose<T extends string>(known: readonly T[], list: string): readonly T[] | undefined {
  const names = list.split(',');
  if (!names.every((name) => known.some((one) => one === name))) return undefined;
  return known.filter((one) => names.includes(one));
}

function isWhole(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= max;
}
