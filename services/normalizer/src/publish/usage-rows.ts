import { Bytes, Column64, type Columns, LowCardinalityColumn, SmallColumn, writeBlock } from '@weir/native';
import type { Usage } from '@weir/records';

const SECONDS_PER_MINUTE = 60;

/** Rows of weir_usage as a Native block. */
export function usageBlock(rows: readonly Usage[]): Buffer {
  const texts = { TenantId: new LowCardinalityColumn(), Signal: new LowCardinalityColumn() };
  const minute = new SmallColumn('DateTime');
  const kinds = { Outcome: new LowCardinalityColumn(), Reason: new LowCardinalityColumn() };
  const sums = { Items: new Column64('UInt64'), Bytes: new Column64('UInt64') };
  const columns: Columns = { ...texts, Minute: minute, ...kinds, ...sums };
  for (const row of rows) {
    push(texts.TenantId, row.tenant);
    push(texts.Signal, row.signal);
    minute.push(row.minute * SECONDS_PER_MINUTE);
    push(kinds.Outcome, row.outcome);
    push(kinds.Reason, row.reason);
    sums.Items.pushWhole(row.items);
    sums.Bytes.pushWhole(row.bytes);
  }
  const out = new Bytes(1024);
  writeBlock(columns, rows.length, out);
  return out.written();
}

function push(column: LowCardinalityColumn, text: string): void {
  const bytes = Buffer.from(text);
  column.push(bytes, 0, bytes.length);
}
