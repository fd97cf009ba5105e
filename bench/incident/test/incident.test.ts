import { beforeAll, expect, test } from 'vitest';
import { type IncidentResult, IncidentStack, incidentFaults, playIncident, renderIncident } from '../src/index.ts';

let result: IncidentResult;
let scratch = '';

// A short one; ten minutes are run by hand (npm run incident), and stand in docs/INCIDENT.md.
beforeAll(async () => {
  const incident = await IncidentStack.start();
  scratch = incident.scratch;
  try {
    result = await playIncident(incident, { calmS: 4, bugS: 15, rate: 250 }, () => undefined);
  } finally {
    await incident.stop();
  }
}, 240_000);

test('the bug corrupts the durations of all tenants from the release on, by a factor, and nothing else', () => {
  const { wrong, before } = result;
  expect(Object.keys(wrong)).toHaveLength(9);
  for (const points of Object.values(wrong)) expect(points).toBeGreaterThan(100);
  expect(before.right.length).toBeGreaterThan(100);
  expect(before).toMatchObject({ missing: 0, doubled: 0, alien: 0, odd: [] });
  expect(result.outOfTurn).toEqual([]);
});

test('a replay with the mended transcoder differs from live in exactly what is wrong, and says so by its exit status', () => {
  expect(result.different).toEqual(result.wrong);
  expect(result.otherDifferences).toBe(0);
  const compared = result.commands.filter(({ line }) => line.includes('shadow compare'));
  expect(compared.map(({ status }) => status)).toEqual([1, 0]);
});

test('after the promotion every value is right, and each item there once', () => {
  const { after, others, durationsSent } = result;
  expect(after).toMatchObject({ missing: 0, doubled: 0, alien: 0, odd: [], wrong: [] });
  expect(after.right).toHaveLength(durationsSent);
  expect(others).toMatchObject({ lost: 0, doubled: 0, misplaced: 0, alien: 0, stored: others.sent });
});

test('the books balance when traffic has ended, and nobody was refused', () => {
  const audits = result.commands.slice(-3);
  expect(audits.map(({ line, status }) => [line.split(' ')[1], status])).toEqual([
    ['audit', 0],
    ['audit', 0],
    ['audit', 0],
  ]);
  expect(result.durationsRefused).toEqual(new Map());
});

test('the session can be read by everyone, and nothing of it is as it should not be', () => {
  expect(incidentFaults(result)).toEqual([]);
  const page = renderIncident(result, { commit: 'none', cores: 1 });
  expect(page).toContain('$ ingestctl shadow promote');
  expect(page).not.toContain(scratch);
});
