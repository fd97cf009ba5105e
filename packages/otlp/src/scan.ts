import type { SignalKind } from '@weir/pipeline';
import { type AttributeHolder, ItemCheck, RESOURCE, SCOPE, takeHolder } from './item-check.ts';
import { type ItemLimits, UNLIMITED } from './item-limits.ts';
import type { ItemScanner } from './scan-item.ts';
import { scanLogRecord } from './scan-log.ts';
import { scanMetric } from './scan-metric.ts';
import { scanSpan } from './scan-span.ts';
import { messageIndex } from './schema.ts';
import { checkField } from './structure.ts';
import { clearTotals, rejectAllFrom, type ScanTotals } from './totals.ts';
import { VALID } from './validity.ts';
import { type WireFault, WireReader } from './wire.ts';

/** Why the bytes are not an export, or one whose rows would repeat more than they may, and where that was seen. */
export interface ScanFault {
  readonly ok: false;
  readonly reason: WireFault | 'rows_too_large';
  readonly offset: number;
}

export type ScanResult = { readonly ok: true } | ScanFault;

const OK: ScanResult = { ok: true };
const HEAD = (1 << 3) | 2;
const LIST = (2 << 3) | 2;
/** How far a scope is read before what its rows repeat is looked at again: some 30,000 of the smallest items. */
const STRIDE_BYTES = 64 * 1024;

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
  readonly #check = new ItemCheck();

  /**
   * @param bytes the decompressed ExportRequest; only read
   * @param slowThresholdNs spans that take longer count as slow
   * @param totals set to what was found; undefined content after a fault
   * @param limits what is over one of them is rejected
   * @param repeatedMax most `repeatedBytes`: what has more is not read much further, but for a metric, which is read whole
   */
  scan(
    signal: SignalKind,
    bytes: Uint8Array,
    slowThresholdNs: number,
    totals: ScanTotals,
    limits: ItemLimits = UNLIMITED,
    repeatedMax = Number.POSITIVE_INFINITY,
  ): ScanResult {
    clearTotals(totals);
    const reader = this.#reader;
    reader.open(bytes);
    this.#check.open(slowThresholdNs, limits);
    if (signal !== 'metrics') this.#check.series = undefined;
    const ok = scanRequest(reader, SHAPES[signal], bytes.length, this.#check, totals, repeatedMax);
    reader.release();
    if (reader.fault === undefined && totals.repeatedBytes > repeatedMax) {
      return { ok: false, reason: 'rows_too_large', offset: reader.pos };
    }
    return ok ? OK : { ok: false, reason: reader.fault ?? 'truncated', offset: reader.faultAt };
  }
}

function scanRequest(
  reader: WireReader,
  shape: Shape,
  end: number,
  check: ItemCheck,
  totals: ScanTotals,
  repeatedMax: number,
): boolean {
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag < 0) return false;
    if (tag !== HEAD) {
      if (!checkField(reader, shape.request, tag, end, 1)) return false;
      continue;
    }
    const stop = reader.length(end);
    if (stop < 0 || !scanResource(reader, shape, stop, check, totals, repeatedMax)) return false;
  }
  return true;
}

function scanResource(
  reader: WireReader,
  shape: Shape,
  end: number,
  check: ItemCheck,
  totals: ScanTotals,
  repeatedMax: number,
): boolean {
  const { items: before, errorItems, slowItems } = totals;
  let headBytes = 0;
  check.resourceFault = VALID;
  check.scopeFault = VALID;
  if (check.series?.beginResource(reader, end) === false) return false;
  while (reader.pos < end) {
    const at = reader.pos;
    const tag = reader.tag(end);
    if (tag < 0) return false;
    if (tag === LIST) {
      const stop = reader.length(end);
      if (stop < 0 || !scanScope(reader, shape, stop, check, totals, repeatedMax)) return false;
      continue;
    }
    if (tag === HEAD) {
      const fault = scanHead(reader, RESOURCE, end, 3, check);
      if (fault === READER_FAULT) return false;
      if (fault !== VALID) check.resourceFault = fault;
    } else if (!checkField(reader, shape.resource, tag, end, 2)) return false;
    headBytes += reader.pos - at;
  }
  if (check.resourceFault !== VALID) rejectAllFrom(totals, before, check.resourceFault, errorItems, slowItems);
  totals.repeatedBytes += headBytes * (totals.items - before);
  return true;
}

function scanScope(
  reader: WireReader,
  shape: Shape,
  end: number,
  check: ItemCheck,
  totals: ScanTotals,
  repeatedMax: number,
): boolean {
  const { items: before, errorItems, slowItems } = totals;
  let headBytes = 0;
  check.scopeFault = VALID;
  if (check.series?.beginScope(reader, end) === false) return false;
  while (reader.pos < end) {
    if (totals.repeatedBytes > repeatedMax) return false;
    const pause = Math.min(end, reader.pos + STRIDE_BYTES);
    while (reader.pos < pause) {
      const at = reader.pos;
      const tag = reader.tag(end);
      if (tag < 0) return false;
      if (tag === LIST) {
        const stop = reader.length(end);
        if (stop < 0 || !shape.item(reader, stop, check, totals)) return false;
        continue;
      }
      if (tag === HEAD) {
        const fault = scanHead(reader, SCOPE, end, 4, check);
        if (fault === READER_FAULT) return false;
        if (fault !== VALID) check.scopeFault = fault;
      } else if (!checkField(reader, shape.scope, tag, end, 3)) return false;
      headBytes += reader.pos - at;
    }
  }
  if (check.scopeFault !== VALID) rejectAllFrom(totals, before, check.scopeFault, errorItems, slowItems);
  totals.repeatedBytes += headBytes * (totals.items - before);
  return true;
}

const READER_FAULT = -2;

/** Checks a resource or a scope; its fault rejects all that is under it, wherever in the message it stands. */
function scanHead(reader: WireReader, holder: AttributeHolder, end: number, depth: number, check: ItemCheck): number {
  check.begin();
  return takeHolder(reader, holder, end, depth, check) ? check.fault(0, 0) : READER_FAULT;
}
