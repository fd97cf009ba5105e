import { laneOf, MIXED_LANE } from '@weir/records';
import type { OpenExport } from './exports.ts';
import { LIMITS } from './limits.ts';
import { receivedDayOf } from './transcode/transcoder.ts';

/**
 * Exports by the lane of their rows, those of a lane in the order of the log: all rows of an export were received on one day
 * and are kept for one time. Lanes with so little that blocks of their own do not pay are mixed, where there are several.
 */
export function lanesOf(open: readonly OpenExport[]): ReadonlyMap<number, readonly OpenExport[]> {
  const bytes = new Map<number, number>();
  for (const entry of open) bytes.set(laneOfExport(entry), (bytes.get(laneOfExport(entry)) ?? 0) + entry.body.length);
  const small = new Set([...bytes].filter(([, held]) => held < LIMITS.laneBodyBytesMin).map(([lane]) => lane));
  const lanes = new Map<number, OpenExport[]>();
  for (const entry of open) {
    const own = laneOfExport(entry);
    const lane = small.size > 1 && small.has(own) ? MIXED_LANE : own;
    const exports = lanes.get(lane);
    if (exports === undefined) lanes.set(lane, [entry]);
    else exports.push(entry);
  }
  return lanes;
}

function laneOfExport({ raw, tenant }: OpenExport): number {
  return laneOf(receivedDayOf(raw.meta.receivedAtNs), tenant.limits.retentionDays);
}
