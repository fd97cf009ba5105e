import { expect, test } from 'vitest';
import { type CpuProfile, selfTimes, timesOf } from './cpu-profile.ts';

const frame = (functionName: string, url = '', lineNumber = 0) => ({ functionName, url, lineNumber });
const EDGE = 'file:///x/services/edge/src/stored-value.ts';

/** 100 us idle, then in turn: a scan, a compression below it, collection, idle again, the scan. */
const PROFILE: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame('(root)'), children: [2, 3, 7] },
    { id: 2, callFrame: frame('(idle)') },
    { id: 3, callFrame: frame('store', EDGE, 9), children: [4, 5] },
    { id: 4, callFrame: frame('scan', 'file:///x/packages/otlp/src/scan.ts', 4) },
    { id: 5, callFrame: frame('zstdCompressSync', 'node:zlib', 1), children: [6] },
    { id: 6, callFrame: frame('writeSync') },
    { id: 7, callFrame: frame('(garbage collector)') },
  ],
  startTime: 1_000,
  samples: [2, 4, 6, 7, 2, 4],
  timeDeltas: [100, 100, 300, 50, 100, 70],
};

test('self times leave out waiting, and the most comes first', () => {
  expect(selfTimes(PROFILE, 0, 10_000)).toEqual([
    { name: 'writeSync', place: '', kind: 'compression', us: 300 },
    { name: 'scan', place: 'scan.ts:5', kind: 'OTLP scan', us: 170 },
    { name: '(garbage collector)', place: '', kind: 'garbage collection', us: 50 },
  ]);
});

test('samples outside of the window are left out', () => {
  expect(selfTimes(PROFILE, 1_201, 1_600).map(({ us }) => us)).toEqual([300, 50]);
});

test('a process is told by the sources that it ran, and by what it did meanwhile', () => {
  const before = { ...PROFILE, startTime: 90_000 };
  expect(timesOf('edge', [before, PROFILE], 0, 10_000)).toEqual(selfTimes(PROFILE, 0, 10_000));
  expect(() => timesOf('sink', [before, PROFILE], 0, 10_000)).toThrow('the process of sink left no profile');
  expect(() => timesOf('edge', [before], 0, 10_000)).toThrow('the process of edge left no profile');
});
