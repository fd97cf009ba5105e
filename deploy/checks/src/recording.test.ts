import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pause } from '@weir/testkit';
import { expect, test } from 'vitest';
import { promtoolTest, Recording } from './recording.ts';

test('what is scraped is kept as promtool plays it: gaps, targets that fail or go, and times from the first scrape on', async () => {
  const nowS = Date.now() / 1_000;
  let answer: string | undefined = 'a_total{reason="x"} 3\nb 1\nc_expiry_seconds 0\n# HELP\n';
  const server = createServer((_, response) => {
    response.statusCode = answer === undefined ? 500 : 200;
    response.end(answer ?? '');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const recording = new Recording({ edge: url, sink: url }, new Set(['a_total', 'c_expiry_seconds', 'd']));
  const until = async (scrapes: number) => {
    while (recording.scrapes < scrapes) await pause(5);
  };
  await until(1);
  answer = 'd 7\n';
  await until(2);
  recording.forget('sink');
  answer = undefined;
  await until(4);
  const recorded = await recording.stop();
  server.close();
  const valuesOf = (series: string) => recorded.series.find((each) => each.series === series)?.values.split(' ');
  expect(recorded.scrapes).toBeGreaterThanOrEqual(4);
  expect(valuesOf('a_total{job="edge",instance="edge",reason="x"}')?.slice(0, 3)).toEqual(['3', 'stale', '_']);
  expect(valuesOf('d{job="edge",instance="edge"}')?.slice(0, 4)).toEqual(['_', '7', 'stale', '_']);
  expect(valuesOf('up{job="edge",instance="edge"}')?.slice(0, 4)).toEqual(['1', '1', '0', '0']);
  expect(valuesOf('up{job="sink",instance="sink"}')?.slice(0, 4)).toEqual(['1', '1', 'stale', '_']);
  expect(Number(valuesOf('c_expiry_seconds{job="edge",instance="edge"}')?.[0])).toBeCloseTo(-nowS, -2);
  expect(recorded.series.some(({ series }) => series.startsWith('b{'))).toBe(false);
  const { tests } = promtoolTest('r.yml', 'n', recorded, 'none') as { tests: { promql_expr_test: object[] }[] };
  expect(tests[0]?.promql_expr_test[0]).toMatchObject({ exp_samples: [] });
});
