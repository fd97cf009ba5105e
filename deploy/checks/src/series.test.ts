import { expect, test } from 'vitest';
import { seriesFaults } from './series.ts';

test('a series that no service has is a fault, and so is a label that it does not carry', () => {
  expect(seriesFaults('sum by (reason) (rate(weir_edge_refused_exports_total[5m]))')).toEqual([]);
  expect(seriesFaults('rate(weir_edge_refused_total[5m])')).toEqual(['weir_edge_refused_total']);
  expect(seriesFaults('sum by (table) (weir_edge_queue_bytes)')).toEqual(['label table']);
  expect(seriesFaults('weir_sink_insert_seconds_bucket{table="a",host="b"}')).toEqual(['label host']);
});
