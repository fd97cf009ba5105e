import { expect, test } from 'vitest';
import { bySignal } from './by-signal.ts';
import { differencesOf, isZero, type Reading, unexplained } from './unexplained.ts';

/** Of logs alone. */
function reading(of: Partial<Record<keyof Reading, number>>): Reading {
  const logs = (items = 0) => bySignal((kind) => (kind === 'logs' ? items : 0));
  const { accepted, stored, dead, acked, inFlight, rows } = of;
  return {
    accepted: logs(accepted),
    stored: logs(stored),
    dead: logs(dead),
    acked: logs(acked),
    inFlight: logs(inFlight),
    rows: logs(rows),
  };
}

const logsOf = (earlier: Reading, later: Reading) => {
  const { accepted, rows, answered } = unexplained(earlier, later);
  return [accepted.logs, rows.logs, answered.logs];
};

test('rows that are in before their batch is booked are no difference, however often they are seen', () => {
  const earlier = reading({ accepted: 100, stored: 100, acked: 130, rows: 120, inFlight: 40 });
  const later = reading({ accepted: 900, stored: 900, acked: 930, rows: 940, inFlight: 40 });
  expect(isZero(differencesOf(earlier))).toBe(false);
  expect(isZero(differencesOf(later))).toBe(false);
  expect(isZero(unexplained(earlier, later))).toBe(true);
});

test('what was booked before and is not in the tables after is missing; what was in them before and is not booked after is too much', () => {
  expect(
    logsOf(reading({ accepted: 50, stored: 50, rows: 10 }), reading({ accepted: 60, stored: 60, rows: 20 })),
  ).toEqual([0, 30, 0]);
  expect(
    logsOf(reading({ accepted: 50, stored: 50, rows: 90 }), reading({ accepted: 60, stored: 60, rows: 99 })),
  ).toEqual([0, -30, 0]);
});

test('what was accepted before and has come to nothing after is a difference, and so is what was answered and is nowhere', () => {
  const ended = reading({ accepted: 70, stored: 60, dead: 5, rows: 60 });
  expect(logsOf(reading({ accepted: 70, stored: 50, dead: 0, rows: 50 }), ended)).toEqual([5, 0, 0]);
  const answered = reading({ accepted: 70, stored: 70, rows: 70, acked: 90, inFlight: 3 });
  expect(logsOf(reading({ accepted: 70, stored: 70, rows: 70, acked: 80 }), answered)).toEqual([0, 0, 7]);
});

test('where nothing moves a difference is what it is', () => {
  const still = reading({ accepted: 9, stored: 7, dead: 1, rows: 4, acked: 12, inFlight: 1 });
  expect(unexplained(still, still)).toEqual(differencesOf(still));
});
