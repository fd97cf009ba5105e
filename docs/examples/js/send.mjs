/**
 * Sends one trace (two spans), two log records and five metrics, then says what was sent as one line of JSON.
 *
 *   OTEL_EXPORTER_OTLP_PROTOCOL     grpc or http/protobuf
 *   OTEL_EXPORTER_OTLP_ENDPOINT     https://localhost:4317 (grpc) or https://localhost:4318 (http/protobuf)
 *   OTEL_EXPORTER_OTLP_CERTIFICATE  the CA that signed Weir's certificate
 *   OTEL_EXPORTER_OTLP_HEADERS      x-api-key=YOUR-KEY
 *
 * The exporters read the last three themselves; nothing here is special to Weir.
 */
import { context, ROOT_CONTEXT, SeverityNumber, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { OTLPLogExporter as GrpcLogs } from '@opentelemetry/exporter-logs-otlp-grpc';
import { OTLPLogExporter as HttpLogs } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter as GrpcMetrics } from '@opentelemetry/exporter-metrics-otlp-grpc';
import { OTLPMetricExporter as HttpMetrics } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter as GrpcTraces } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as HttpTraces } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { AggregationType, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

const grpc = process.env.OTEL_EXPORTER_OTLP_PROTOCOL === 'grpc';
const exporters = grpc
  ? { traces: new GrpcTraces(), logs: new GrpcLogs(), metrics: new GrpcMetrics() }
  : { traces: new HttpTraces(), logs: new HttpLogs(), metrics: new HttpMetrics() };

const run = process.env.DEMO_RUN ?? 'demo';
const resource = resourceFromAttributes({
  'service.name': 'checkout-js',
  'service.version': '1.2.3',
  'deployment.environment.name': 'demo',
  'demo.run': run,
});

const tracers = new TracerProvider({
  resource,
  spanProcessors: [new BatchSpanProcessor({ exporter: exporters.traces })],
});
const loggers = new LoggerProvider({
  resource,
  processors: [new BatchLogRecordProcessor({ exporter: exporters.logs })],
});
const meters = new MeterProvider({
  resource,
  readers: [new PeriodicExportingMetricReader({ exporter: exporters.metrics, exportIntervalMillis: 60_000 })],
  views: [
    { instrumentName: 'checkout.size', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } },
    {
      instrumentName: 'checkout.duration',
      aggregation: { type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM, options: { boundaries: [100, 500, 1000] } },
    },
  ],
});

function sendTrace() {
  const tracer = tracers.getTracer('demo-tracer', '0.1.0');
  const parent = tracer.startSpan(
    'GET /checkout',
    {
      kind: SpanKind.SERVER,
      attributes: {
        'http.request.method': 'GET',
        'http.response.status_code': 500,
        'cart.total': 12.5,
        'cart.gift': true,
      },
    },
    ROOT_CONTEXT,
  );
  const child = tracer.startSpan(
    'charge card',
    {
      kind: SpanKind.CLIENT,
      attributes: { 'card.tries': [1, 2, 3] },
      links: [{ context: parent.spanContext(), attributes: { reason: 'retry' } }],
    },
    trace.setSpan(ROOT_CONTEXT, parent),
  );
  child.addEvent('declined', { code: 'insufficient_funds' });
  child.setStatus({ code: SpanStatusCode.ERROR, message: 'card declined' });
  child.end();
  parent.end();
  return { parent: parent.spanContext(), child: child.spanContext(), within: trace.setSpan(ROOT_CONTEXT, child) };
}

function sendLogs(within) {
  const logger = loggers.getLogger('demo-logger', '0.1.0');
  const info = { severityNumber: SeverityNumber.INFO, severityText: 'INFO', body: 'checkout started' };
  logger.emit({ ...info, attributes: { 'cart.items': 3 }, context: context.active() });
  const error = { severityNumber: SeverityNumber.ERROR, severityText: 'ERROR', body: 'card declined' };
  logger.emit({ ...error, eventName: 'payment.declined', attributes: { 'card.last4': '4242' }, context: within });
}

function sendMetrics() {
  const meter = meters.getMeter('demo-meter', '0.1.0');
  meter.createCounter('checkout.count', { unit: '{checkout}', description: 'Checkouts.' }).add(7, { result: 'ok' });
  meter.createUpDownCounter('checkout.open', { unit: '{checkout}' }).add(-2, { result: 'ok' });
  meter.createObservableGauge('checkout.load', { unit: '%' }).addCallback((result) => result.observe(42));
  const duration = meter.createHistogram('checkout.duration', { unit: 'ms', description: 'How long it took.' });
  for (const ms of [50, 250, 2000]) duration.record(ms, { result: 'ok' });
  const size = meter.createHistogram('checkout.size', { unit: 'By' });
  for (const bytes of [1, 2, 4, 8]) size.record(bytes);
}

const sent = sendTrace();
sendLogs(sent.within);
sendMetrics();
await Promise.all([tracers.shutdown(), loggers.shutdown(), meters.shutdown()]);
const ids = { traceId: sent.parent.traceId, parentSpanId: sent.parent.spanId, childSpanId: sent.child.spanId };
process.stdout.write(`${JSON.stringify({ run, service: 'checkout-js', ...ids })}\n`);
