import { Transcoder } from '@weir/normalizer';
import { decodeExport, expectedRows } from '@weir/testkit';
import { type BenchExport, logsExport, metricsExport, spansExport } from './exports.ts';
import { line, type Measured, type MeasureOptions, measure, ratio } from './measure.ts';

/** Exports that are transcoded into one block, as the normalizer does. */
const EXPORTS_PER_BLOCK = 10;
const ITEMS_PER_EXPORT = 1_000;
const OWNER = { tenant: 'acme', retentionDays: 30, receivedAtNs: 1_795_237_200_000_000_000n };

/** From OTLP bytes to finished Native blocks. */
function transcoding(one: BenchExport, options: MeasureOptions): Measured {
  const transcoder = new Transcoder();
  const input = { ...OWNER, signal: one.signal, body: one.body };
  return measure(
    {
      name: `transcode ${one.signal} (${Math.round(one.body.length / one.items)} bytes an item)`,
      items: one.items * EXPORTS_PER_BLOCK,
      bytes: one.body.length * EXPORTS_PER_BLOCK,
      run: () => {
        for (let i = 0; i < EXPORTS_PER_BLOCK; i++) transcoder.add(input, () => undefined);
        transcoder.finish(() => undefined);
        transcoder.clear();
      },
    },
    options,
  );
}

/** The plain way: decode to objects with the reference library, make a row object of each item, write JSONEachRow. */
function plain(one: BenchExport, options: MeasureOptions): Measured {
  return measure(
    {
      name: `plain ${one.signal}: objects to JSONEachRow`,
      items: one.items,
      bytes: one.body.length,
      run: () => {
        const { rows } = expectedRows(one.signal, decodeExport(one.signal, one.body), OWNER);
        for (const table of Object.values(rows)) table.map((row) => JSON.stringify(row)).join('\n');
      },
    },
    options,
  );
}

/** Lines of the normalizer's part of the report. */
export function transcodeReport(options: MeasureOptions): string[] {
  const exports = [spansExport(ITEMS_PER_EXPORT), logsExport(ITEMS_PER_EXPORT), metricsExport(ITEMS_PER_EXPORT)];
  return exports.flatMap((one) => {
    const ours = transcoding(one, options);
    const other = plain(one, options);
    return [line(ours), line(other), ratio(ours, other)];
  });
}
