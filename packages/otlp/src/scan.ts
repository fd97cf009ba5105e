import type { SignalKind } from '@weir/pipeline';
import { type ItemScanner, scanLogRecord, scanSpan } from './scan-items.ts';
import { scanMetric } from './scan-metric.ts';
import { messageIndex } from './schema.ts';
import { checkField } from './structure.ts';
import { clearTotals, type ScanTotals } from './totals.ts';
import { type WireFault, WireReader } from './wire.ts';

/** Why the bytes are not an export, and where that was seen. */
export interface ScanFault {
  readonly ok: false;
  readonly reason: WireFault;
  readonly offset: number;
}

export type ScanResult = { readonly ok: true } | ScanFault;

const OK: ScanResult = { ok: true };
const ITEM_FIELD = 2;

interface Shape {
  readonly request: number;
  readonly resource: number;
  readonly scope: number;
  readonly item: ItemScanner;
}

const SHAPES: Readonly<Record<SignalKind, Shape>> = {
  traces: shape('ExportTraceServiceRequest', 'ResourceSpans', 'ScopeSpans', scanSpan),
  logs: shape('ExportLogsServiceRequest', 'ResourceLogs', 'ScopeLogs', scanLogRecord),
  metrics: shape('ExportMetricsServiceRequest', 'ResourceMetrics', 'ScopeMetrics', scanMetric),
};

type Names = Parameters<typeof messageIndex>[0];

function shape(request: Names, resource: Names, scope: Names, item: ItemScanner): Shape {
  return { request: messageIndex(request), resource: messageIndex(resource), scope: messageIndex(scope), item };
}

/**
 * Reads an ExportRequest once, in place: counts items, finds errors and slow spans, and checks the whole structure.
 * No object is made for a span, log record or data point. An instance is not re-entrant; scans are synchronous.
 */
export class Scanner {
  readonly #reader = new WireReader();

  /**
   * @param bytes the decompressed ExportRequest; only read
   * @param slowThresholdNs spans that take longer count as slow
   * @param totals set to what was found; undefined content after a fault
   */
  scan(signal: SignalKind, bytes: Uint8Array, slowThresholdNs: number, totals: ScanTotals): ScanResult {
    clearTotals(totals);
    const reader = this.#reader;
    reader.open(bytes);
    const ok = scanRequest(reader, SHAPES[signal], bytes.length, slowThresholdNs, totals);
    reader.buf = EMPTY;
    return ok ? OK : { ok: false, reason: reader.fault ?? 'truncated', offset: reader.faultAt };
  }
}

const EMPTY = new Uint8Array(0);

function scanRequest(reader: WireReader, shape: Shape, end: number, slowNs: number, totals: ScanTotals): boolean {
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag < 0) return false;
    if (tag !== ((1 << 3) | 2)) {
      if (!checkField(reader, shape.request, tag, end, 1)) return false;
      continue;
    }
    const stop = reader.length(end);
    if (stop < 0 || !scanResource(reader, shape, stop, slowNs, totals)) return false;
  }
  return true;
}

function scanResource(reader: WireReader, shape: Shape, end: number, slowNs: number, totals: ScanTotals): boolean {
  const before = totals.items;
  let headBytes = 0;
  while (reader.pos < end) {
    const at = reader.pos;
    const tag = reader.tag(end);
    if (tag < 0) return false;
    if (tag !== ((ITEM_FIELD << 3) | 2)) {
      if (!checkField(reader, shape.resource, tag, end, 2)) return false;
      headBytes += reader.pos - at;
      continue;
    }
    const stop = reader.length(end);
    if (stop < 0 || !scanScope(reader, shape, stop, slowNs, totals)) return false;
  }
  totals.repeatedBytes += headBytes * (totals.items - before);
  return true;
}

function scanScope(reader: WireReader, shape: Shape, end: number, slowNs: number, totals: ScanTotals): boolean {
  const before = totals.items;
  let headBytes = 0;
  while (reader.pos < end) {
    const at = reader.pos;
    const tag = reader.tag(end);
    if (tag < 0) return false;
    if (tag !== ((ITEM_FIELD << 3) | 2)) {
      if (!checkField(reader, shape.scope, tag, end, 3)) return false;
      headBytes += reader.pos - at;
      continue;
    }
    const stop = reader.length(end);
    if (stop < 0 || !shape.item(reader, stop, slowNs, totals)) return false;
  }
  totals.repeatedBytes += headBytes * (totals.items - before);
  return true;
}
