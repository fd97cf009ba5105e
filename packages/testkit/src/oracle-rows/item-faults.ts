import { toBinary } from '@bufbuild/protobuf';
import type { SignalKind } from '@weir/pipeline';
import {
  type AnyValue,
  AnyValueSchema,
  type InstrumentationScope,
  type KeyValue,
  KeyValueSchema,
} from '../oracle/generated/opentelemetry/proto/common/v1/common_pb.ts';
import type { Resource } from '../oracle/generated/opentelemetry/proto/resource/v1/resource_pb.ts';
import type { OracleRequest } from '../oracle/otlp.ts';
import { pointFault, pointRows } from './data-points.ts';
import { logFault } from './log-records.ts';
import { spanFault } from './spans.ts';

/** A tenant's limits, said anew: numbers as in its configuration, times in ns since the epoch. */
export interface OracleLimits {
  readonly perItem: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly from: bigint;
  readonly until: bigint;
  /** Left out: series are not limited. */
  readonly series?: number;
}

/** One item: what it cannot be stored for, the time that it is stored under (0 for none) and its attributes. */
interface Item {
  readonly fault: string | undefined;
  readonly time: bigint;
  readonly attributes: readonly KeyValue[];
  readonly inner: readonly (readonly KeyValue[])[];
  readonly metric?: string;
}

interface Scope {
  readonly scope: InstrumentationScope | undefined;
  readonly items: readonly Item[];
}

interface Shared {
  readonly resource: Resource | undefined;
  readonly scopes: readonly Scope[];
}

const READ: { readonly [S in SignalKind]: (request: OracleRequest<S>) => readonly Shared[] } = {
  traces: ({ resourceSpans }) =>
    resourceSpans.map(({ resource, scopeSpans }) => ({
      resource,
      scopes: scopeSpans.map(({ scope, spans }) => ({
        scope,
        items: spans.map((span) => ({
          fault: spanFault(span),
          time: span.startTimeUnixNano,
          attributes: span.attributes,
          inner: [...span.events, ...span.links].map(({ attributes }) => attributes),
        })),
      })),
    })),
  logs: ({ resourceLogs }) =>
    resourceLogs.map(({ resource, scopeLogs }) => ({
      resource,
      scopes: scopeLogs.map(({ scope, logRecords }) => ({
        scope,
        items: logRecords.map((log) => ({
          fault: logFault(log),
          time: log.timeUnixNano || log.observedTimeUnixNano,
          attributes: log.attributes,
          inner: [],
        })),
      })),
    })),
  metrics: ({ resourceMetrics }) =>
    resourceMetrics.map(({ resource, scopeMetrics }) => ({
      resource,
      scopes: scopeMetrics.map(({ scope, metrics }) => ({
        scope,
        items: metrics.flatMap((metric) =>
          pointRows(metric).map((row) => ({
            fault: pointFault(row),
            time: row.point.timeUnixNano,
            attributes: row.point.attributes,
            inner: 'exemplars' in row.point ? row.point.exemplars.map((one) => one.filteredAttributes) : [],
            metric: metric.name,
          })),
        ),
      })),
    })),
};

function valueSize(value: AnyValue | undefined): number {
  if (value === undefined) return 0;
  const { case: kind, value: content } = value.value;
  if (kind === 'stringValue') return Buffer.byteLength(content);
  return kind === 'bytesValue' ? content.length : toBinary(AnyValueSchema, value).length;
}

function attributesFault(attributes: readonly KeyValue[], limits: OracleLimits): string | undefined {
  if (attributes.length > limits.perItem) return 'too_many_attributes';
  if (attributes.some(({ key }) => Buffer.byteLength(key) > limits.keyBytes)) return 'key_too_long';
  return attributes.some(({ value }) => valueSize(value) > limits.valueBytes) ? 'value_too_long' : undefined;
}

function timeFault(time: bigint, { from, until }: OracleLimits): string | undefined {
  if (time === 0n) return undefined;
  if (time < from) return 'time_too_old';
  return time > until ? 'time_in_future' : undefined;
}

function textOf(attributes: readonly KeyValue[]): string {
  const texts = attributes.map((one) => Buffer.from(toBinary(KeyValueSchema, one)).toString('hex'));
  return texts.sort().join(' ');
}

/**
 * Why each item of an export is not stored, in their order, undefined where it is: worked out plainly from the officially
 * decoded message, and without any code of the services.
 *
 * @param known series that there are already; new ones are added
 */
export function itemFaults<S extends SignalKind>(
  signal: S,
  request: OracleRequest<S>,
  limits: OracleLimits,
  known = new Set<string>(),
): (string | undefined)[] {
  const faults: (string | undefined)[] = [];
  for (const { resource, scopes } of READ[signal](request)) {
    const shared = attributesFault(resource?.attributes ?? [], limits);
    for (const { scope, items } of scopes) {
      const head = shared ?? attributesFault(scope?.attributes ?? [], limits);
      for (const { fault, time, attributes, inner, metric } of items) {
        let found =
          head ?? fault ?? timeFault(time, limits) ?? attributesFault([...attributes, ...inner.flat()], limits);
        if (found === undefined && metric !== undefined && limits.series !== undefined) {
          const parts = [
            textOf(resource?.attributes ?? []),
            scope?.name,
            scope?.version,
            textOf(scope?.attributes ?? []),
          ];
          const series = JSON.stringify([...parts.map((part) => part ?? ''), metric, textOf(attributes)]);
          if (!known.has(series) && known.size >= limits.series) found = 'too_many_series';
          else known.add(series);
        }
        faults.push(found);
      }
    }
  }
  return faults;
}
