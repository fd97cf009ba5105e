import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sharedStack } from '@weir/testkit/vitest';
import { beforeAll, expect, test } from 'vitest';
import { pythonTools, REPOSITORY, run } from '../src/tool-cache.ts';

const stack = sharedStack();
const EXAMPLES = join(REPOSITORY, 'docs/examples');
const TENANT = stack.freshTenant();
let python = '';

beforeAll(async () => {
  const requirements = await readFile(join(EXAMPLES, 'python/requirements.txt'), 'utf8');
  python = join(await pythonTools('otel-python', requirements.trim().split('\n')), 'python');
}, 180_000);

const SDKS = [
  ['js', 'grpc'],
  ['js', 'http/protobuf'],
  ['python', 'grpc'],
  ['python', 'http/protobuf'],
] as const;

interface Told {
  readonly service: string;
  readonly traceId: string;
  readonly parentSpanId: string;
  readonly childSpanId: string;
}

async function send(language: 'js' | 'python', protocol: string, demoRun: string): Promise<Told> {
  const { otlp, ca } = stack.local;
  const env = {
    PATH: process.env.PATH ?? '',
    OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
    OTEL_EXPORTER_OTLP_ENDPOINT: protocol === 'grpc' ? otlp.grpc : otlp.http,
    OTEL_EXPORTER_OTLP_CERTIFICATE: ca,
    OTEL_EXPORTER_OTLP_HEADERS: `x-api-key=${stack.key(TENANT)}`,
    DEMO_RUN: demoRun,
  };
  const command =
    language === 'js' ? [process.execPath, join(EXAMPLES, 'js/send.mjs')] : [python, join(EXAMPLES, 'python/send.py')];
  const { status, stdout, stderr } = await run(command[0]!, command.slice(1), { env });
  if (status !== 0) throw new Error(`${stdout}${stderr}`);
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Told;
}

test.each(SDKS)(
  'the real %s SDK over %s: what its example sends can be read back',
  async (language, protocol) => {
    const demoRun = `${language}-${protocol}`;
    const told = await send(language, protocol, demoRun);
    const where = `WHERE TenantId = '${TENANT}' AND ResourceAttributes['demo.run'] = '${demoRun}'`;
    const count = (table: string) => `SELECT count() AS n FROM ${table} ${where}`;
    await stack.until<{ n: string }>(count('otel_traces'), ({ n }) => n === '2');
    await stack.until<{ n: string }>(count('otel_logs'), ({ n }) => n === '2');
    await stack.until<{ n: string }>(count('otel_metrics_exponential_histogram'), ({ n }) => n === '1');

    const spans = await stack.query(`
    SELECT SpanName, SpanKind, StatusCode, StatusMessage, TraceId, SpanId, ParentSpanId, ServiceName,
      SpanAttributes['http.response.status_code'] AS code, SpanAttributes['cart.gift'] AS gift,
      SpanAttributes['card.tries'] AS tries, Events.Name AS events, Links.SpanId AS links
    FROM otel_traces ${where} ORDER BY ParentSpanId`);
    const common = { TraceId: told.traceId, ServiceName: told.service };
    expect(spans).toEqual([
      {
        ...common,
        SpanName: 'GET /checkout',
        SpanKind: 'Server',
        StatusCode: 'Unset',
        StatusMessage: '',
        SpanId: told.parentSpanId,
        ParentSpanId: '',
        code: '500',
        gift: 'true',
        tries: '',
        events: [],
        links: [],
      },
      {
        ...common,
        SpanName: 'charge card',
        SpanKind: 'Client',
        StatusCode: 'Error',
        StatusMessage: 'card declined',
        SpanId: told.childSpanId,
        ParentSpanId: told.parentSpanId,
        code: '',
        gift: '',
        tries: '[1,2,3]',
        events: ['declined'],
        links: [told.parentSpanId],
      },
    ]);

    const logs = await stack.query(`
    SELECT Body, SeverityText, SeverityNumber, TraceId, SpanId, EventName FROM otel_logs ${where} ORDER BY SeverityNumber`);
    expect(logs).toMatchObject([
      { Body: 'checkout started', SeverityText: 'INFO', SeverityNumber: 9, TraceId: '' },
      {
        Body: 'card declined',
        SeverityText: 'ERROR',
        SeverityNumber: 17,
        TraceId: told.traceId,
        SpanId: told.childSpanId,
      },
    ]);

    const sums = await stack.query(
      `SELECT MetricName, Value, IsMonotonic FROM otel_metrics_sum ${where} ORDER BY MetricName`,
    );
    expect(sums).toEqual([
      { MetricName: 'checkout.count', Value: 7, IsMonotonic: true },
      { MetricName: 'checkout.open', Value: -2, IsMonotonic: false },
    ]);
    const gauges = await stack.query(`SELECT MetricName, Value, MetricUnit FROM otel_metrics_gauge ${where}`);
    expect(gauges).toEqual([{ MetricName: 'checkout.load', Value: 0.42, MetricUnit: '1' }]);
    const histograms = await stack.query(`
    SELECT MetricName, MetricUnit, Count, Sum, Min, Max, BucketCounts, ExplicitBounds FROM otel_metrics_histogram ${where}`);
    expect(histograms).toEqual([
      {
        MetricName: 'checkout.duration',
        MetricUnit: 's',
        Count: '3',
        Sum: 2.3,
        Min: 0.05,
        Max: 2,
        BucketCounts: ['1', '1', '0', '1'],
        ExplicitBounds: [0.1, 0.5, 1],
      },
    ]);
    const exponential = await stack.query(
      `SELECT MetricName, Count, Sum FROM otel_metrics_exponential_histogram ${where}`,
    );
    expect(exponential).toEqual([{ MetricName: 'checkout.size', Count: '4', Sum: 15 }]);
  },
  90_000,
);
