import type { TableName } from '@weir/records';
import type {
  Exemplar,
  ExponentialHistogramDataPoint,
  ExponentialHistogramDataPoint_Buckets,
  HistogramDataPoint,
  Metric,
  NumberDataPoint,
  SummaryDataPoint,
} from '../oracle/generated/opentelemetry/proto/metrics/v1/metrics_pb.ts';
import type { OracleRequest } from '../oracle/otlp.ts';
import { pairsOf } from './any-value-text.ts';
import { type Conversion, conversionOf } from './base-unit.ts';
import {
  type ExpectedRow,
  type ExpectedRows,
  hexId,
  innerTime,
  number,
  ownerCells,
  type RowOwner,
  resourceCells,
  scopeCells,
  timeStorable,
} from './row.ts';

export type Point = NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint | SummaryDataPoint;

export interface PointRow {
  readonly table: TableName;
  readonly point: Point;
  readonly conversion: Conversion;
  readonly cells: ExpectedRow;
  readonly fault?: string;
}

function numeric(value: NumberDataPoint['value'] | Exemplar['value']): number {
  return value.case === undefined ? 0 : Number(value.value);
}

function exemplarCells(exemplars: readonly Exemplar[], { scale }: Conversion): ExpectedRow {
  return {
    'Exemplars.FilteredAttributes': exemplars.map((exemplar) => pairsOf(exemplar.filteredAttributes)),
    'Exemplars.TimeUnix': exemplars.map((exemplar) => innerTime(exemplar.timeUnixNano)),
    'Exemplars.Value': exemplars.map((exemplar) => number(scale(numeric(exemplar.value)))),
    'Exemplars.SpanId': exemplars.map((exemplar) => hexId(exemplar.spanId)),
    'Exemplars.TraceId': exemplars.map((exemplar) => hexId(exemplar.traceId)),
  };
}

function numberCells(point: NumberDataPoint, conversion: Conversion): ExpectedRow {
  return {
    Value: number(conversion.scale(numeric(point.value))),
    ...exemplarCells(point.exemplars, conversion),
  };
}

function histogramCells(point: HistogramDataPoint, conversion: Conversion): ExpectedRow {
  const { scale } = conversion;
  return {
    Count: point.count.toString(),
    Sum: number(scale(point.sum ?? 0)),
    BucketCounts: point.bucketCounts.map(String),
    ExplicitBounds: point.explicitBounds.map((bound) => number(scale(bound))),
    ...exemplarCells(point.exemplars, conversion),
    Min: number(scale(point.min ?? 0)),
    Max: number(scale(point.max ?? 0)),
  };
}

function exponentialCells(point: ExponentialHistogramDataPoint, conversion: Conversion): ExpectedRow {
  const { scale } = conversion;
  const offset = (buckets: ExponentialHistogramDataPoint_Buckets | undefined) =>
    buckets === undefined ? 0 : buckets.offset + conversion.offset;
  return {
    Count: point.count.toString(),
    Sum: number(scale(point.sum ?? 0)),
    Scale: point.scale,
    ZeroCount: point.zeroCount.toString(),
    PositiveOffset: offset(point.positive),
    PositiveBucketCounts: (point.positive?.bucketCounts ?? []).map(String),
    NegativeOffset: offset(point.negative),
    NegativeBucketCounts: (point.negative?.bucketCounts ?? []).map(String),
    ...exemplarCells(point.exemplars, conversion),
    Min: number(scale(point.min ?? 0)),
    Max: number(scale(point.max ?? 0)),
  };
}

function summaryCells(point: SummaryDataPoint, { scale }: Conversion): ExpectedRow {
  return {
    Count: point.count.toString(),
    Sum: number(scale(point.sum)),
    'ValueAtQuantiles.Quantile': point.quantileValues.map(({ quantile }) => number(quantile)),
    'ValueAtQuantiles.Value': point.quantileValues.map(({ value }) => number(scale(value))),
  };
}

function bucketFault({ bucketCounts, explicitBounds }: HistogramDataPoint): { fault?: string } {
  const fits =
    bucketCounts.length === 0 ? explicitBounds.length === 0 : bucketCounts.length === explicitBounds.length + 1;
  return fits ? {} : { fault: 'mismatched_buckets' };
}

export function pointRows({ data, unit }: Metric): PointRow[] {
  const conversion = conversionOf(unit);
  switch (data.case) {
    case 'gauge':
      return data.value.dataPoints.map((point) => ({
        table: 'otel_metrics_gauge',
        point,
        conversion,
        cells: numberCells(point, conversion),
      }));
    case 'sum': {
      const { aggregationTemporality, isMonotonic } = data.value;
      return data.value.dataPoints.map((point) => ({
        table: 'otel_metrics_sum',
        point,
        conversion,
        cells: {
          ...numberCells(point, conversion),
          AggregationTemporality: aggregationTemporality,
          IsMonotonic: isMonotonic,
        },
      }));
    }
    case 'histogram': {
      const { aggregationTemporality } = data.value;
      return data.value.dataPoints.map((point) => ({
        table: 'otel_metrics_histogram',
        point,
        conversion,
        cells: { ...histogramCells(point, conversion), AggregationTemporality: aggregationTemporality },
        ...bucketFault(point),
      }));
    }
    case 'exponentialHistogram': {
      const { aggregationTemporality } = data.value;
      return data.value.dataPoints.map((point) => {
        const own = conversionOf(unit, point.scale);
        const cells = { ...exponentialCells(point, own), AggregationTemporality: aggregationTemporality };
        return { table: 'otel_metrics_exponential_histogram', point, conversion: own, cells };
      });
    }
    case 'summary':
      return data.value.dataPoints.map((point) => ({
        table: 'otel_metrics_summary',
        point,
        conversion,
        cells: summaryCells(point, conversion),
      }));
    default:
      return [];
  }
}

export function pointFault({ point, fault }: PointRow): string | undefined {
  if (point.timeUnixNano === 0n || !timeStorable(point.timeUnixNano)) return 'invalid_time';
  return timeStorable(point.startTimeUnixNano) ? fault : 'invalid_time';
}

function commonCells(metric: Metric, { point, conversion }: PointRow): ExpectedRow {
  return {
    MetricName: metric.name,
    MetricDescription: metric.description,
    MetricUnit: conversion.unit,
    Attributes: [...pairsOf(point.attributes), ...conversion.said],
    StartTimeUnix: point.startTimeUnixNano.toString(),
    TimeUnix: point.timeUnixNano.toString(),
    Flags: point.flags,
  };
}

export function addDataPoints(request: OracleRequest<'metrics'>, owner: RowOwner, out: ExpectedRows): void {
  for (const { resource, schemaUrl: resourceUrl, scopeMetrics } of request.resourceMetrics) {
    for (const { scope, schemaUrl: scopeUrl, metrics } of scopeMetrics) {
      const shared = {
        ...ownerCells(owner),
        ...resourceCells(resource),
        ...scopeCells(scope),
        ResourceSchemaUrl: resourceUrl,
        ScopeAttributes: pairsOf(scope?.attributes),
        ScopeDroppedAttrCount: scope?.droppedAttributesCount ?? 0,
        ScopeSchemaUrl: scopeUrl,
      };
      for (const metric of metrics) {
        for (const row of pointRows(metric)) {
          const fault = pointFault(row);
          if (fault !== undefined) out.invalid[fault] = (out.invalid[fault] ?? 0) + 1;
          else {
            out.rows[row.table] ??= [];
            out.rows[row.table]?.push({ ...shared, ...commonCells(metric, row), ...row.cells });
          }
        }
      }
    }
  }
}
