import { expect, test } from 'vitest';
import { TABLE_COLUMNS, tableLayouts } from './table-columns.ts';

test('a table has the layout of today, and that of before a column came later', () => {
  const names = tableLayouts('otel_logs').map((layout) => layout.map(({ name }) => name));
  expect(names[0]).toEqual(TABLE_COLUMNS.otel_logs.map(({ name }) => name));
  expect(names[1]).toEqual(names[0]!.filter((name) => name !== 'RawPosition'));
  expect(tableLayouts('weir_usage')).toEqual([TABLE_COLUMNS.weir_usage]);
});
