import { ITEM_FAULTS, type ItemFault, type ItemLimits, type ScanTotals } from '@weir/otlp';
import type { SignalKind } from '@weir/pipeline';
import type { ActiveSeries, Limits, Tenant } from '@weir/tenancy';

/** The limits of a tenant's items at one moment. */
export function itemLimits(
  tenant: Tenant,
  signal: SignalKind,
  receivedAtNs: bigint,
  series: Pick<ActiveSeries, 'open'> | undefined,
): ItemLimits {
  const { attributes } = tenant.limits;
  const { past, future } = tenant.windowNs;
  const nowNs = Number(receivedAtNs);
  return {
    attributesMax: attributes.perItem,
    keyBytesMax: attributes.keyBytes,
    valueBytesMax: attributes.valueBytes,
    timeMinNs: nowNs - past,
    timeMaxNs: nowNs + future,
    series: signal === 'metrics' ? series?.open(tenant) : undefined,
  };
}

/** Why items are rejected, for the client; `limit` is what holds for its tenant. */
const TEXTS: Readonly<Record<ItemFault, (limits: Limits) => string>> = {
  invalid_trace_id: () => 'the trace id is not 16 bytes, or zero',
  invalid_span_id: () => 'a span id is not 8 bytes, or zero',
  invalid_time: () => 'a time is missing or cannot be stored',
  invalid_metric: () => 'the metric is not valid',
  mismatched_buckets: () => 'bucket counts and bounds do not match',
  too_many_attributes: ({ attributes }) => `there are more than ${attributes.perItem} attributes`,
  key_too_long: ({ attributes }) => `an attribute's key is longer than ${attributes.keyBytes} bytes`,
  value_too_long: ({ attributes }) => `an attribute's value is longer than ${attributes.valueBytes} bytes`,
  time_too_old: ({ timeWindow }) => `the time is more than ${timeWindow.past} ago`,
  time_in_future: ({ timeWindow }) => `the time is more than ${timeWindow.future} ahead`,
  too_many_series: ({ activeSeries }) => `the series is new, and ${activeSeries} are active or the edge has no room`,
};

/** How many items were rejected for what, as the answer tells it; undefined where none was. */
export function rejectedMessage(totals: ScanTotals, limits: Limits): string | undefined {
  if (totals.rejectedItems === 0) return undefined;
  const parts: string[] = [];
  for (const [index, fault] of ITEM_FAULTS.entries()) {
    const count = totals.rejected[index]!;
    if (count > 0) parts.push(`${count} ${fault} (${TEXTS[fault](limits)})`);
  }
  return `${totals.rejectedItems} items were rejected and are not stored: ${parts.join(', ')}`;
}
