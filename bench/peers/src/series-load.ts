import type { LoadSignal, LoadTransport } from '@weir/bench-load';

/** The load of a series; the same for every system. */
export interface SeriesLoad {
  readonly signal: LoadSignal;
  readonly transport: LoadTransport;
  readonly items: number;
  readonly itemsPerExport: number;
  readonly inFlight: number;
  /** The generator compresses each export as it sends it; over HTTP. */
  readonly gzip: boolean;
  /** Seconds that each system is under load before the first run; of a series from before it was known, none. */
  readonly warmUpS?: number;
}
