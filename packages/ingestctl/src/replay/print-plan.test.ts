import { expect, test } from 'vitest';
import type { Context } from '../context.ts';
import type { ReplayPlan } from './plan.ts';
import { printPlan } from './print-plan.ts';

const PLAN: ReplayPlan = {
  id: '20260131_120000_abcd',
  track: 'v1',
  filter: { tenants: [], signals: [] },
  partitions: [],
  tables: ['otel_logs'],
  days: ['2026-01-31', '2026-01-31'],
};

function printed(plan: ReplayPlan, json = false, isDry = false): string {
  let out = '';
  const outside = {
    out: (text: string) => {
      out += text;
    },
  };
  printPlan({ outside, options: { json } } as unknown as Context, plan, isDry);
  return out;
}

test('a plan says of which partitions Kafka has let go of everything', () => {
  const said = 'Kafka has let go of all exports of partition 1, 3';
  expect(printed({ ...PLAN, emptied: [1, 3] })).toContain(said);
  expect(JSON.parse(printed({ ...PLAN, emptied: [1, 3] }, true))).toMatchObject({ emptied: [1, 3] });
  expect(printed(PLAN)).not.toContain('let go');
});

test('a dry run names no tables that will never be there', () => {
  expect(printed(PLAN)).toContain('writes shadow_20260131_120000_abcd_otel_logs only');
  expect(JSON.parse(printed(PLAN, true))).toMatchObject({ id: PLAN.id });
  expect(printed(PLAN, false, true)).toContain('would write shadow_<id>_otel_logs only');
  const dry = printed(PLAN, true, true);
  expect(dry + printed(PLAN, false, true)).not.toContain(PLAN.id);
  expect(JSON.parse(dry)).toMatchObject({ shadowTables: ['shadow_<id>_otel_logs'] });
});
