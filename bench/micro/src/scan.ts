import { createTotals, Scanner } from '@weir/otlp';
import { decodeExport } from '@weir/testkit';
import { type BenchExport, logsExport, metricsExport, spansExport } from './exports.ts';
import { line, type MeasureOptions, measure, ratio } from './measure.ts';

const ITEMS_PER_EXPORT = 1_000;
const SLOW_NS = 500_000_000;

function scanning(one: BenchExport, options: MeasureOptions): string[] {
  const scanner = new Scanner();
  const totals = createTotals();
  const size = { items: one.items, bytes: one.body.length };
  const ours = measure(
    {
      name: `scan ${one.signal} (${Math.round(one.body.length / one.items)} bytes an item)`,
      ...size,
      run: () => scanner.scan(one.signal, one.body, SLOW_NS, totals),
    },
    options,
  );
  const decode = measure(
    { name: `decode ${one.signal} with @bufbuild/protobuf`, ...size, run: () => decodeExport(one.signal, one.body) },
    options,
  );
  return [line(ours), line(decode), ratio(ours, decode)];
}

/** Lines of the edge's part of the report. */
export function scanReport(options: MeasureOptions): string[] {
  const exports = [spansExport(ITEMS_PER_EXPORT), logsExport(ITEMS_PER_EXPORT), metricsExport(ITEMS_PER_EXPORT)];
  return exports.flatMap((one) => scanning(one, options));
}
