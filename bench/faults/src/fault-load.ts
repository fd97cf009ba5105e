import type { LoadOptions } from '@weir/bench-load';
import type { TestStack } from '@weir/testkit';

const PRODUCERS = 40;
const ITEMS_PER_EXPORT = 200;

/** The load of every row: spans over HTTP and gRPC through Envoy, in exports of 200, `rate` spans a second in all. */
export function faultLoad(stack: TestStack, rate: number, seconds: number): LoadOptions {
  return {
    target: { ...stack.local.otlp, ca: stack.ca },
    tenants: [{ name: 'demo', key: stack.key('demo'), weight: 1 }],
    producers: PRODUCERS,
    rate: rate / PRODUCERS,
    seconds,
    itemsPerExport: ITEMS_PER_EXPORT,
    transports: ['http', 'grpc'],
    signals: ['traces'],
    errors: 0.05,
    gzip: true,
    connections: 4,
    outstandingMax: 400,
  };
}
