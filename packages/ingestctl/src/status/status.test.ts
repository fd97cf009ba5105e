import { expect, test } from 'vitest';
import { MetricsText } from './metrics-text.ts';
import { renderStatus } from './render.ts';
import { compareSnapshots } from './report.ts';
import type { Instance, Snapshot } from './snapshot.ts';

function edge(name: string, accepted: number, fill: number, notReady: readonly string[] = []): Instance {
  const metrics = new MetricsText(
    [
      '# HELP weir_edge_accepted_items_total x',
      'weir_edge_build_info{version="0.1.0",track="v1"} 1',
      `weir_edge_accepted_items_total{signal="traces",tenant="a"} ${accepted}`,
      'weir_edge_accepted_items_total{signal="logs",tenant="a"} 5',
      `weir_edge_queue_fill_ratio ${fill}`,
      '',
    ].join('\n'),
  );
  return { name, up: true, kind: 'edge', track: 'v1', notReady, metrics };
}

function snapshot(given: Partial<Snapshot>): Snapshot {
  return {
    atMs: 0,
    instances: [],
    topics: { ok: true, value: [] },
    deadLetters: { ok: true, value: 0 },
    clickhouse: { ok: true, value: { rows: 0, bytes: 0, parts: 0 } },
    ...given,
  };
}

test('metrics are summed over their labels and labels are read', () => {
  const metrics = new MetricsText('a{x="1",track="v2"} 2\na{x="2"} 3.5\nab 100\nbad line here\n');
  expect([metrics.sum('a'), metrics.sum('missing')]).toEqual([5.5, 0]);
  expect([metrics.label('a', 'track'), metrics.label('a', 'rack')]).toEqual(['v2', undefined]);
});

test('rates are sums over instances, and a restarted one counts from 0', () => {
  const before = snapshot({ instances: [edge('e1', 100, 0), edge('e2', 1_000, 0)] });
  const now = snapshot({ atMs: 2_000, instances: [edge('e1', 300, 0.2), edge('e2', 45, 0.4)] });
  const [stage] = compareSnapshots(before, now, ['v1']).stages;
  expect(stage).toMatchObject({ stage: 'edge', state: '2 ready', perSecond: (200 + 50) / 2, fill: 0.4 });
});

test('a normalizer that fills up shows, and so does that the dead letters could not be counted', () => {
  const metrics = new MetricsText(
    'weir_normalizer_build_info{version="0.1.0",track="v1"} 1\nweir_normalizer_fill_ratio 0.93\n',
  );
  const instances: Instance[] = [{ name: 'n1', up: true, kind: 'normalizer', track: 'v1', notReady: [], metrics }];
  const dark = snapshot({ instances, deadLetters: { ok: false, reason: 'kafka: no answer' } });
  const { stages } = compareSnapshots(dark, dark, ['v1']);
  expect(stages.find(({ stage }) => stage === 'normalizer')).toMatchObject({ fill: 0.93 });
  expect(stages.find(({ stage }) => stage === 'ClickHouse')?.notes).toContain('weir.dlq: kafka: no answer');
});

test('lag counts from the committed offset, or from the start of the log where that is later or nothing is committed', () => {
  const partitions = [
    { partition: 0, committed: 7, start: 0, end: 10 },
    { partition: 1, committed: -1, start: 4, end: 10 },
    { partition: 2, committed: 2, start: 6, end: 10 },
  ];
  const topic = { topic: 'weir.raw.v1', track: 'v1', partitions };
  const earlier = { ...topic, partitions: partitions.map((one) => ({ ...one, end: 5 })) };
  const report = compareSnapshots(
    snapshot({ topics: { ok: true, value: [earlier] } }),
    snapshot({ atMs: 1_000, topics: { ok: true, value: [topic] } }),
    ['v1'],
  );
  expect(report.stages[0]).toMatchObject({ stage: 'weir.raw.v1', lag: 3 + 6 + 4, perSecond: 15 });
});

test('what does not answer or is not ready is a fault, and a dependency that does not is unreachable', () => {
  const sick = edge('e1', 0, 0, ['Kafka does not answer']);
  const down: Instance = { name: 's1', up: false, reason: 'connect ECONNREFUSED' };
  const report = compareSnapshots(
    snapshot({}),
    snapshot({ instances: [sick, down], clickhouse: { ok: false, reason: 'refused' } }),
    ['v1'],
  );
  expect(report.faults).toEqual([
    'e1 is not ready: Kafka does not answer',
    's1: connect ECONNREFUSED',
    'ClickHouse: refused',
  ]);
  expect(report.unreachable).toBe(true);
  expect(report.stages[0]).toMatchObject({ state: '0/1 ready' });
  expect(compareSnapshots(snapshot({}), snapshot({}), ['v1'])).toMatchObject({ faults: [], unreachable: false });
});

test('a terminal gets colours by fill, a file none, and neither gets control characters from outside', () => {
  const full = snapshot({ atMs: 1_000, instances: [edge('e1', 0, 1)] });
  const report = compareSnapshots(full, full, ['v1']);
  const forged = { ...report, faults: ['x\u001b[2J\nforged line'] };
  const plain = renderStatus(forged, false);
  expect(plain).not.toContain('\u001b');
  expect(plain).toContain('[##########] 100 %');
  expect(plain).toContain('x\\x1b[2J\\x0aforged line\n');
  expect(renderStatus(report, true)).toContain('\u001b[31m[##########] 100 %');
});
