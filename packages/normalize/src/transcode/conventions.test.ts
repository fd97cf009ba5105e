import { CONVENTIONS_SCHEMA_URL } from '@weir/otlp';
import type { SignalKind } from '@weir/pipeline';
import { Engine, type EngineRow, encodeExport } from '@weir/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Transcoder } from './transcoder.ts';

const OWNER = { tenant: 'a', retentionDays: 30, receivedAtNs: 1_795_237_200_123_456_789n };
const OLD = 'https://opentelemetry.io/schemas/1.38.0';
const UPGRADE = { upgradeTo: '1.44.0' };

let engine: Engine;
const transcoder = new Transcoder();

beforeAll(async () => {
  engine = await Engine.open();
});

afterAll(() => engine.close());

const text = (key: string, value: string) => ({ key, value: { value: { case: 'stringValue' as const, value } } });

function span(...attributes: ReturnType<typeof text>[]) {
  const ids = { traceId: new Uint8Array(16).fill(1), spanId: new Uint8Array(8).fill(1) };
  return { ...ids, startTimeUnixNano: 1n, attributes, events: [{ timeUnixNano: 1n, attributes }], links: [] };
}

function spansOf(schemaUrl: string, ...spans: ReturnType<typeof span>[]) {
  const resource = { attributes: [text('peer.service', 'r')] };
  return { resourceSpans: [{ schemaUrl, resource, scopeSpans: [{ schemaUrl, spans }] }] };
}

function add(signal: SignalKind, request: object, conventions?: { upgradeTo: string; assume?: string }): number {
  const body = encodeExport(signal, request as never);
  const added = transcoder.add({ ...OWNER, signal, body, conventions }, () => undefined);
  if (!added.ok) throw new Error(added.reason);
  return added.renamed;
}

function rows(select: string): EngineRow[] {
  const found: EngineRow[] = [];
  transcoder.finish(({ block }) => found.push(...engine.readBlock(block, select)));
  transcoder.clear();
  return found;
}

const SELECT = 'ResourceAttributes AS r, SpanAttributes AS s, Events.Attributes AS e';

test('names of spans, their events and their resource are brought up to date, and counted', () => {
  const one = span(text('peer.service', 'x'), text('other', 'y'));
  expect(add('traces', spansOf(OLD, one, one), UPGRADE)).toBe(5);
  const today = { 'service.peer.name': 'x', other: 'y' };
  const row = { r: { 'service.peer.name': 'r' }, s: today, e: [today] };
  expect(rows(SELECT)).toEqual([row, row]);
});

test('tenants that want it and tenants that do not share a block', () => {
  const one = span(text('peer.service', 'x'));
  expect(add('traces', spansOf(OLD, one))).toBe(0);
  expect(add('traces', spansOf(OLD, one), UPGRADE)).toBe(3);
  expect(add('traces', spansOf(OLD, one))).toBe(0);
  expect(rows('SpanAttributes AS s').map(({ s }) => Object.keys(s as object)[0])).toEqual([
    'peer.service',
    'service.peer.name',
    'peer.service',
  ]);
});

test('what does not say its version stays, unless one is assumed; what is of today stays', () => {
  const one = span(text('peer.service', 'x'));
  for (const url of ['', 'https://example.com/1.0.0', CONVENTIONS_SCHEMA_URL]) {
    expect([url, add('traces', spansOf(url, one), UPGRADE)]).toEqual([url, 0]);
  }
  expect(add('traces', spansOf('', one), { ...UPGRADE, assume: '1.30.0' })).toBe(3);
  expect(add('traces', spansOf(CONVENTIONS_SCHEMA_URL, one), { ...UPGRADE, assume: '1.30.0' })).toBe(0);
  transcoder.clear();
});

test('an old name beside the new one stays as it is, and so do two old ones of one new name', () => {
  const both = span(text('service.peer.name', 'new'), text('peer.service', 'old'));
  const twice = span(text('peer.service', '1'), text('peer.service', '2'));
  expect(add('traces', spansOf(OLD, both, span(text('peer.service', 'x')), twice), UPGRADE)).toBe(3);
  expect(rows('mapKeys(SpanAttributes) AS k').map(({ k }) => k)).toEqual([
    ['service.peer.name', 'peer.service'],
    ['service.peer.name'],
    ['peer.service', 'peer.service'],
  ]);
});

test('logs and metrics say which conventions they have now', () => {
  const record = { timeUnixNano: 1n, attributes: [text('peer.service', 'x')] };
  expect(add('logs', { resourceLogs: [{ scopeLogs: [{ schemaUrl: OLD, logRecords: [record] }] }] }, UPGRADE)).toBe(1);
  expect(rows('ResourceSchemaUrl AS r, ScopeSchemaUrl AS s, mapKeys(LogAttributes) AS k')).toEqual([
    { r: '', s: CONVENTIONS_SCHEMA_URL, k: ['service.peer.name'] },
  ]);
  const attributes = [text('linux.memory.slab.state', 'x')];
  const point = { timeUnixNano: 1n, attributes, value: { case: 'asInt' as const, value: 1n } };
  const data = { case: 'gauge' as const, value: { dataPoints: [point] } };
  const metrics = [{ name: 'system.linux.memory.slab.usage', data }];
  expect(add('metrics', { resourceMetrics: [{ scopeMetrics: [{ schemaUrl: OLD, metrics }] }] }, UPGRADE)).toBe(2);
  expect(rows('MetricName AS n, ScopeSchemaUrl AS s, mapKeys(Attributes) AS k')).toEqual([
    { n: 'system.memory.linux.slab.usage', s: CONVENTIONS_SCHEMA_URL, k: ['system.memory.linux.slab.state'] },
  ]);
});

test('rows in a row that share a resource, and a scope or not, have what is today of both', () => {
  const one = span(text('peer.service', 'x'));
  const scopeOf = (name: string, version: string, spans: number) => {
    return { schemaUrl: OLD, scope: { name, version }, spans: Array.from({ length: spans }, () => one) };
  };
  const resource = (service: string) => ({ attributes: [text('service.name', service), text('peer.service', 'r')] });
  const first = {
    schemaUrl: OLD,
    resource: resource('first'),
    scopeSpans: [scopeOf('a', '1', 3), scopeOf('b', '', 1), scopeOf('a', '2', 2)],
  };
  const second = { resource: resource('second'), scopeSpans: [scopeOf('a', '1', 2)] };
  expect(add('traces', { resourceSpans: [first, second] }, UPGRADE)).toBe(1 + 2 * 8);
  expect(add('traces', { resourceSpans: [first] })).toBe(0);
  const shared = (service: string, key: string, scopes: readonly (readonly [string, number])[]) =>
    scopes.flatMap(([scope, rows]) => Array.from({ length: rows }, () => `${service} ${key} ${scope}`));
  const scopes = [
    ['a 1', 3],
    ['b ', 1],
    ['a 2', 2],
  ] as const;
  expect(
    rows("ServiceName || ' ' || mapKeys(ResourceAttributes)[2] || ' ' || ScopeName || ' ' || ScopeVersion AS l").map(
      ({ l }) => l,
    ),
  ).toEqual([
    ...shared('first', 'service.peer.name', scopes),
    ...shared('second', 'peer.service', [['a 1', 2]]),
    ...shared('first', 'peer.service', scopes),
  ]);
});

test('a span with very many old names costs no more than they are', () => {
  const many = Array.from({ length: 60_000 }, (_, i) => text(`k${i}`, ''));
  const old = Array.from({ length: 60_000 }, () => text('peer.service', ''));
  const one = { ...span(...many, ...old), events: [] };
  const startedMs = performance.now();
  expect(add('traces', spansOf(OLD, one), UPGRADE)).toBe(1);
  // By the square of them it would be minutes.
  expect(performance.now() - startedMs).toBeLessThan(5_000);
  transcoder.clear();
});
