import { expect, test } from 'vitest';
import type { IncidentResult } from './incident.ts';
import { incidentFaults } from './judge-incident.ts';
import type { StoredPoint } from './stored-durations.ts';

const point = {} as StoredPoint;
const judged = { missing: 0, doubled: 0, alien: 0, odd: [], right: [point], wrong: [] };
const ran = (line: string, status: number) => ({ line, status, out: '', seconds: 1 });
const COMMANDS = [
  ran('ingestctl shadow compare ID', 1),
  ran('ingestctl shadow promote ID', 0),
  ran('ingestctl shadow compare ID', 0),
];
const good = {
  commands: COMMANDS,
  tables: [],
  before: { ...judged, wrong: [point] },
  outOfTurn: [],
  wrong: { 'otel_metrics_gauge acme': 1 },
  different: { 'otel_metrics_gauge acme': 1 },
  otherDifferences: 0,
  after: judged,
  pointsBack: 5,
  durationsRefused: new Map(),
  others: { sent: 3, accepted: 3, lost: 0, doubled: 0, misplaced: 0, alien: 0 },
} as unknown as IncidentResult;

test('an incident that went as it should has no fault', () => {
  expect(incidentFaults(good)).toEqual([]);
});

test('an audit that was run again at once counts as it ended then', () => {
  const [off, even] = [ran('ingestctl audit --tenant acme', 1), ran('ingestctl audit --tenant acme', 0)];
  expect(incidentFaults({ ...good, commands: [...COMMANDS, off, even] })).toEqual([]);
  expect(incidentFaults({ ...good, commands: [...COMMANDS, even, off] })).toHaveLength(1);
});

test.each<[string, Partial<IncidentResult>]>([
  ['a comparison that finds nothing', { commands: [ran('ingestctl shadow compare ID', 0), ...COMMANDS.slice(1)] }],
  ['books that do not balance', { commands: [...COMMANDS, ran('ingestctl audit --tenant acme', 1)] }],
  ['shadows that stay', { tables: ['shadow_x'] }],
  ['a bug that did nothing', { before: judged, wrong: {}, different: {} }],
  ['a comparison that finds less', { different: {} }],
  ['a comparison that finds more', { otherDifferences: 1 }],
  ['what is right out of turn', { outOfTurn: ['there'] }],
  ['values that stay wrong', { after: { ...judged, wrong: [point] } }],
  ['values that are lost', { after: { ...judged, missing: 1 } }],
  ['values that are doubled', { after: { ...judged, doubled: 1 } }],
  ['no traffic after it', { pointsBack: 0 }],
  ['an export that was refused', { durationsRefused: new Map([['HTTP 503', 12]]) }],
  ['a span that was lost', { others: { ...good.others, lost: 1 } }],
])('%s is a fault', (_, change) => {
  expect(incidentFaults({ ...good, ...change }).length).toBeGreaterThan(0);
});
