import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { pause } from '@weir/testkit';
import type { FaultStack } from '../fault-stack.ts';
import { expectThat, until } from '../until.ts';
import type { FaultRow } from './row.ts';

const SERVICES = ['edge', 'normalizer', 'sink'] as const;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const SHIFTED_MS = 4_000;

const env = { NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, '../shifted-clock.ts'))}` };

async function startedAgain(faults: FaultStack, service: string): Promise<void> {
  await faults.end(service, 'SIGTERM');
  await until(`${service} is ready`, () => faults.stack.ready(service));
}

/** By how much the clock of a service is off, as its newest log line says. */
function clockOffMs(faults: FaultStack, service: string): number {
  const line = faults.stack.log(service).trimEnd().split('\n').at(-1) ?? '';
  const said = (JSON.parse(line) as { time: number | string }).time;
  return new Date(said).getTime() - Date.now();
}

function off(service: string, name: string, offsetMs: number): FaultRow {
  return {
    name: `clock-${name}-${service}`,
    fault: `the clock of the ${service} an hour ${name}`,
    env,
    strike: async (faults) => {
      faults.setClock(service, offsetMs);
      await startedAgain(faults, service);
      const seenMs = clockOffMs(faults, service);
      expectThat(Math.abs(seenMs - offsetMs) < 30_000, `the clock of the ${service} is off by ${seenMs} ms`);
      await pause(SHIFTED_MS);
      faults.setClock(service, 0);
      await startedAgain(faults, service);
    },
  };
}

function jumping(service: string): FaultRow {
  return {
    name: `clock-jump-${service}`,
    fault: `the clock of the ${service} jumps an hour ahead, two back, and one ahead again`,
    env,
    strike: async (faults) => {
      for (const offsetMs of [HOUR_MS, -HOUR_MS, 0]) {
        faults.setClock(service, offsetMs);
        await pause(SHIFTED_MS);
      }
    },
  };
}

const PARTITIONS_MAX = 4;

/** Times of spans from 1970 to 2100, each on another day than the one before. */
function anyYear(): () => number {
  const days = Math.floor(Date.UTC(2100, 11, 31) / DAY_MS);
  let next = 0;
  return () => {
    // A step that has no factor in common with the number of days comes to all of them.
    next = (next + 10_007) % days;
    return next * DAY_MS + 1 + (Date.now() % DAY_MS);
  };
}

const YEARS: FaultRow = {
  name: 'span-years',
  fault: 'spans of the years 1970 to 2100, on some 47,000 days; partitions bounded',
  load: () => ({ timeMs: anyYear() }),
  strike: async ({ stack }, _random, load) => {
    await pause(5_000);
    load.afterwards(async () => {
      const parts = await stack.query<{ table: string; partitions: number; parts: number }>(
        `SELECT table, toUInt32(uniqExact(partition_id)) AS partitions, toUInt32(count()) AS parts
         FROM system.parts WHERE active AND database = currentDatabase() GROUP BY table`,
      );
      const [years] = await stack.query<{ first: number; last: number; days: number }>(
        `SELECT min(toYear(Timestamp)) AS first, max(toYear(Timestamp)) AS last,
           toUInt32(uniqExact(toDate32(Timestamp))) AS days FROM otel_traces`,
      );
      const most = Math.max(...parts.map(({ partitions }) => partitions));
      expectThat(most <= PARTITIONS_MAX, `a table has ${most} partitions`);
      expectThat(years!.first === 1970 && years!.last === 2100, `years ${years!.first} to ${years!.last} are stored`);
      return {
        'days of the spans': years!.days,
        'partitions of a table, at most': most,
        'active parts of a table, at most': Math.max(...parts.map((each) => each.parts)),
      };
    });
  },
};

/** Clocks that are wrong: those of the services, and those of the clients. */
export const CLOCK_ROWS: readonly FaultRow[] = [
  ...SERVICES.map((service) => off(service, 'ahead', HOUR_MS)),
  ...SERVICES.map((service) => off(service, 'behind', -HOUR_MS)),
  ...SERVICES.map(jumping),
  YEARS,
];
