import { afterAll, beforeAll, expect, test } from 'vitest';
import { type IncidentResult, IncidentStack, incidentFaults, playIncident } from '../src/index.ts';

let incident: IncidentStack;
let result: IncidentResult;

// A short one; ten minutes are run by hand (npm run incident), and stand in docs/INCIDENT.md.
beforeAll(async () => {
  incident = await IncidentStack.start();
  result = await playIncident(incident, { calmS: 5, bugS: 12, rate: 250 }, () => undefined);
}, 240_000);

afterAll(() => incident?.stop());

test('a bug of the normalizer is shifted away from, replayed, compared, promoted, and the books balance', () => {
  expect(incidentFaults(result)).toEqual([]);
});
