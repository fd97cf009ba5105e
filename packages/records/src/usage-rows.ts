import { Bytes, Column64, type Columns, LowCardinalityColumn, SmallColumn, writeBlock } from '@weir/native';
import type { SignalKind } from '@weir/pipeline';
import type { DlqReason } from './dlq.ts';

/** What became of items, as the books have it. */
export type UsageOutcome = 'accepted' | 'stored' | 'dead_lettered';

/** Items of one tenant and signal that arrived in one minute, and what became of them. */
export interface Usage {
  readonly tenant: string;
  readonly signal: SignalKind;
  readonly receivedAtNs: bigint;
  readonly outcome: UsageOutcome;
  /** Empty unless the outcome needs one. */
  readonly reason: DlqReason | '';
  /** Negative where something that was booked is taken back. */
  readonly items: number;
  readonly bytes: number;
}

const NS_PER_MINUTE = 60_000_000_000n;
const SECONDS_PER_MINUTE = 60;
const MINUTE_MAX = 71_582_788n;

interface Row extends Omit<Usage, 'receivedAtNs'> {
  readonly minute: number;
  items: number;
  bytes: number;
}

/**
 * Rows of weir_usage. Those of a rows record are a section of the same record as the rows they count, so they reach
 * ClickHouse exactly when those do, once; what the sink dead-letters of them later it books under the token of its cut.
 */
export class UsageRows {
  readonly #rows = new Map<string, Row>();

  add({ tenant, signal, receivedAtNs, outcome, reason, items, bytes }: Usage): void {
    if (items === 0 && bytes === 0) return;
    const minute = Number(receivedAtNs / NS_PER_MINUTE < MINUTE_MAX ? receivedAtNs / NS_PER_MINUTE : MINUTE_MAX);
    const key = `${tenant} ${signal} ${minute} ${outcome} ${reason}`;
    const row = this.#rows.get(key);
    if (row === undefined) this.#rows.set(key, { tenant, signal, minute, outcome, reason, items, bytes });
    else {
      row.items += items;
      row.bytes += bytes;
    }
  }

  get rows(): Iterable<Omit<Usage, 'receivedAtNs'>> {
    return this.#rows.values();
  }

  get count(): number {
    return this.#rows.size;
  }

  /** The rows as a Native block. */
  block(): Buffer {
    const texts = { TenantId: new LowCardinalityColumn(), Signal: new LowCardinalityColumn() };
    const minute = new SmallColumn('DateTime');
    const kinds = { Outcome: new LowCardinalityColumn(), Reason: new LowCardinalityColumn() };
    const sums = { Items: new Column64('Int64'), Bytes: new Column64('Int64') };
    const columns: Columns = { ...texts, Minute: minute, ...kinds, ...sums };
    for (const row of this.#rows.values()) {
      push(texts.TenantId, row.tenant);
      push(texts.Signal, row.signal);
      minute.push(row.minute * SECONDS_PER_MINUTE);
      push(kinds.Outcome, row.outcome);
      push(kinds.Reason, row.reason);
      sums.Items.pushWhole(row.items);
      sums.Bytes.pushWhole(row.bytes);
    }
    const out = new Bytes(1024);
    writeBlock(columns, this.#rows.size, out);
    return out.written();
  }
}

function push(column: LowCardinalityColumn, text: string): void {
  const bytes = Buffer.from(text);
  column.push(bytes, 0, bytes.length);
}
