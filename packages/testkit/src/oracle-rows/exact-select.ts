import type { TableColumn } from '@weir/records';

const MAP = 'Map(LowCardinality(String), String)';
const PAIRS = "'Array(Tuple(String, String))'";

function exact({ name, type }: TableColumn): string {
  const column = `\`${name}\``;
  switch (type) {
    case 'DateTime64(9)':
      return `toUnixTimestamp64Nano(${column}) AS ${column}`;
    case 'Array(DateTime64(9))':
      return `arrayMap(t -> toUnixTimestamp64Nano(t), ${column}) AS ${column}`;
    case MAP:
      return `CAST(${column}, ${PAIRS}) AS ${column}`;
    case `Array(${MAP})`:
      return `arrayMap(m -> CAST(m, ${PAIRS}), ${column}) AS ${column}`;
    default:
      return column;
  }
}

/** A select list that loses nothing in JSON: times as nanoseconds, maps as their pairs in order. */
export function exactSelect(columns: readonly TableColumn[]): string {
  return columns.map(exact).join(', ');
}
