/**
 * Sends one span for each line of standard input, all at once, each with an exporter of its own, and says what the exporter
 * told the SDK. A line is: span's name, `grpc` or `http/protobuf`, endpoint, bytes of an attribute, key; an
 * answer: span's name, `success` or `failure`. It says `ready` when it reads. Beyond the exporter's headers all settings are the SDK's own defaults.
 */
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { Metadata } from '@grpc/grpc-js';
import { OTLPTraceExporter as GrpcTraces } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as HttpTraces } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

function createExporter(protocol, endpoint, key) {
  if (protocol !== 'grpc') return new HttpTraces({ url: `${endpoint}/v1/traces`, headers: { 'x-api-key': key } });
  const metadata = new Metadata();
  metadata.set('x-api-key', key);
  return new GrpcTraces({ url: endpoint, metadata });
}

/** Stands between the SDK and its exporter and hears the result. */
function heard(exporter, onResult) {
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        onResult(result);
        done(result);
      }),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  };
}

async function send([name, protocol, endpoint, bytes, key]) {
  const exported = Promise.withResolvers();
  const exporter = heard(createExporter(protocol, endpoint, key), exported.resolve);
  const tracers = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'clients-js' }),
    spanProcessors: [new BatchSpanProcessor({ exporter, scheduledDelayMillis: 100 })],
  });
  const span = tracers.getTracer('clients').startSpan(name, { attributes: { note: 'compressible '.repeat(100) } });
  if (Number(bytes) > 0) span.setAttribute('padding', randomBytes(Number(bytes) / 2).toString('hex'));
  span.end();
  const { code } = await exported.promise;
  process.stdout.write(`${name}\t${code === 0 ? 'success' : 'failure'}\n`);
  await tracers.shutdown().catch(() => undefined);
}

// The SDK's own timers would not keep the process.
const alive = setInterval(() => undefined, 1_000);
process.stdout.write('ready\n');
const lines = await Array.fromAsync(createInterface({ input: process.stdin }));
await Promise.all(lines.map((line) => send(line.split('\t'))));
clearInterval(alive);
