import { expect, test } from 'vitest';
import { faultsOf, growthOf } from './judge.ts';
import { ATTACKS, type Round, type SoakResult } from './soak.ts';

const GOOD_ANSWERS: Readonly<Record<string, string>> = { plaintext: 'cut', churn: 'left', 'random-keys': 'HTTP 401' };
const CANDIDATES = ['HTTP 413', 'HTTP 400', 'gRPC 3', 'gRPC 8', 'closed', 'cut'];

function round(minute: number, edgeMib: number, more: Partial<Round> = {}): Round {
  const memory = { edge: edgeMib, normalizer: 100, sink: 100, envoy: 50 };
  const clean = { refused: {}, unsent: 0, lost: 0, doubled: 0, misplaced: 0, alien: 0, restarted: [] };
  return { minute, sent: 10, accepted: 10, p50Ms: 1, p99Ms: 2, ...clean, memory, ...more };
}

function result(rounds: readonly Round[], more: Partial<SoakResult> = {}): SoakResult {
  const answers = new Map(
    ATTACKS.map(({ name, allowed }) => {
      const answer = GOOD_ANSWERS[name] ?? CANDIDATES.find((one) => allowed.test(one)) ?? '';
      return [name, new Map([[answer, 3]])] as const;
    }),
  );
  return { rounds, answers, greedy: new Map([['HTTP 429', 5]]), unbalanced: [], ...more };
}

const FLAT = [round(1, 150), round(2, 180), round(3, 182), round(4, 181)];

test('a soak in which all is as promised has no faults', () => {
  expect(faultsOf(result(FLAT))).toEqual([]);
});

test('memory that grows after it has warmed up is a fault', () => {
  const growing = [round(1, 100), round(2, 180), round(3, 200), round(4, 220)];
  expect(growthOf({ rounds: growing })[0]).toEqual({ service: 'edge', early: 180, late: 220, flat: false });
  expect(faultsOf(result(growing))).toEqual(['memory of edge went from 180 to 220 MiB']);
});

test.each([
  [{ refused: { 'HTTP 503': 50 } }, 'minute 2.0: 50 items of honest clients were answered HTTP 503'],
  [{ lost: 1 }, 'minute 2.0: 1 items lost'],
  [{ restarted: ['edge'] }, 'minute 2.0: edge has been restarted'],
])('an honest client that is harmed is a fault: %j', (harm, fault) => {
  expect(faultsOf(result([FLAT[0]!, round(2, 180, harm), ...FLAT.slice(2)]))).toEqual([fault]);
});

test('an answer that an attack may not get is a fault, and so is none', () => {
  const { answers } = result(FLAT);
  answers.set('gzip-bomb', new Map([['HTTP 500', 2]]));
  answers.delete('churn');
  expect(faultsOf(result(FLAT, { answers }))).toEqual([
    'gzip-bomb was answered HTTP 500, 2 times',
    'churn was never answered',
  ]);
});
