import { afterAll, beforeAll, expect, test } from 'vitest';
import { runSeries, Stands } from '../src/index.ts';

const stands = new Stands();

beforeAll(() => stands.start(['weir']));
afterAll(() => stands.stop());

// A short one of Weir alone; the peers are measured by hand (npm run peers).
test('a run of Weir costs something in every process, and every item is there once', async () => {
  const size = { items: 4_000, itemsPerExport: 200, inFlight: 4 };
  const load = { signal: 'traces', transport: 'http', gzip: false, warmUpS: 0.1, ...size } as const;
  const said: string[] = [];
  const { runs, failures } = await runSeries(stands.systems(['weir']), load, 1, (line) => said.push(line));
  expect(failures).toEqual([]);
  expect(said).toEqual(['  weir under load for 0.1 s', expect.stringContaining('lost 0, doubled 0')]);
  const result = runs[0]!;
  expect(runs).toHaveLength(1);
  expect(result).toMatchObject({
    system: 'weir',
    sentItems: 4_000,
    acceptedItems: 4_000,
    quiet: true,
    stored: { rows: 4_000, distinct: 4_000, lost: 0, doubled: 0 },
  });
  expect(result.parts.map(({ name }) => name)).toEqual(['edge', 'kafka', 'normalizer', 'sink', 'clickhouse']);
  for (const { cpuS, peakMib } of result.parts) {
    expect(cpuS).toBeGreaterThan(0);
    expect(peakMib).toBeGreaterThan(20);
  }
  expect(result.arrivedS).toBeGreaterThanOrEqual(result.answeredS);
  expect(result.p99Ms).toBeGreaterThan(0);
});
