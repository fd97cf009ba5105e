import type { SignalKind } from '@weir/pipeline';
import type { OracleRequest } from '../oracle/otlp.ts';
import { addDataPoints } from './data-points.ts';
import { addLogRecords } from './log-records.ts';
import type { ExpectedRows, RowOwner } from './row.ts';
import { addSpans } from './spans.ts';

const ADD: { readonly [S in SignalKind]: (request: OracleRequest<S>, owner: RowOwner, out: ExpectedRows) => void } = {
  traces: addSpans,
  logs: addLogRecords,
  metrics: addDataPoints,
};

/**
 * What an export has to become in ClickHouse, worked out plainly from the officially decoded message and without any
 * code of the services. Rows by table, cells as `exactSelect` reads them.
 */
export function expectedRows<S extends SignalKind>(
  signal: S,
  request: OracleRequest<S>,
  owner: RowOwner,
): ExpectedRows {
  const out: ExpectedRows = { rows: {}, invalid: {} };
  ADD[signal](request, owner, out);
  return out;
}
