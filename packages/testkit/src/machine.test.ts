import { expect, test } from 'vitest';
import { cpuOf } from './machine.ts';

test('two generations of one name are told apart', () => {
  const info = (family: number) => `processor\t: 0\ncpu family\t: ${family}\nmodel\t\t: 2\nmodel name\t: AMD EPYC\n`;
  expect([info(25), info(26)].map((each) => cpuOf('AMD EPYC ', each))).toEqual([
    'AMD EPYC, family 25 model 2',
    'AMD EPYC, family 26 model 2',
  ]);
  expect([cpuOf(' Neoverse-N1', ''), cpuOf('', ''), cpuOf(undefined, '')]).toEqual([
    'Neoverse-N1',
    'unknown',
    'unknown',
  ]);
});
