import { expect, test } from 'vitest';
import { allPorts, brokerCount, derivePorts, proxiedPorts } from './ports.ts';

test.each([1, 3])('with %i brokers and four tracks no port is given twice', (brokers) => {
  const ports = allPorts(derivePorts(4317, ['v1', 'v2', 'v3', 'v4'], brokers), true);
  expect(new Set(ports).size).toBe(ports.length);
  expect(ports).toHaveLength(4 + 2 * brokers + 4 * 5);
});

test('with eight processes of each service in four tracks no port is given twice, and the first processes keep theirs', () => {
  const tracks = ['v1', 'v2', 'v3', 'v4'];
  const one = derivePorts(4317, tracks);
  const many = derivePorts(4317, tracks, 3, { edge: 8, normalizer: 8, sink: 8 });
  const ports = allPorts(many, true);
  expect(new Set(ports).size).toBe(ports.length);
  expect(ports).toHaveLength(4 + 2 * 3 + 4 * 8 * 5);
  expect(Math.max(...ports)).toBeLessThan(4317 + 200);
  for (const track of tracks) {
    const [first, all] = [one.tracks[track]!, many.tracks[track]!];
    expect([all.edges[0], all.normalizers[0], all.sinks[0]]).toEqual([
      first.edges[0],
      first.normalizers[0],
      first.sinks[0],
    ]);
  }
});

test('one broker or three, and nothing else', () => {
  expect([undefined, '', '1', '3'].map((count) => brokerCount({ WEIR_LOCAL_KAFKA_BROKERS: count }))).toEqual([
    1, 1, 1, 3,
  ]);
  for (const count of ['0', '2', '4', 'three']) {
    expect(() => brokerCount({ WEIR_LOCAL_KAFKA_BROKERS: count })).toThrow('must be 1 or 3');
  }
});

test('a proxy takes the place of what it stands before, and of nothing else', () => {
  const ports = derivePorts(4317, ['v1'], 3);
  const own = proxiedPorts(ports, {});
  expect(own).toEqual({ kafka: [4320, 4323, 4325], clickhouse: 4322, edge: { grpc: 4327, http: 4328 } });
  const env = { WEIR_LOCAL_PROXY_KAFKA: '1', WEIR_LOCAL_PROXY_CLICKHOUSE: '', WEIR_LOCAL_PROXY_EDGE_HTTP: '2' };
  expect(proxiedPorts(ports, env)).toEqual({ ...own, kafka: [1, 4323, 4325], edge: { grpc: 4327, http: 2 } });
});
