import { expect, test } from 'vitest';
import { readPromql } from './promql.ts';

test('metrics, the labels they are matched on and the labels of groupings are told apart', () => {
  const use = readPromql('sum by (reason) (rate(refused_total{signal="traces",job=~"a|b"}[5m])) / on (job) up');
  expect(use).toEqual({
    selectors: [
      { metric: 'refused_total', labels: ['signal', 'job'] },
      { metric: 'up', labels: [] },
    ],
    groupings: ['reason', 'job'],
  });
});

test('variables of Grafana are read as values', () => {
  expect(readPromql('rate(a_total{job="$job"}[$__rate_interval])').selectors).toEqual([
    { metric: 'a_total', labels: ['job'] },
  ]);
});

test.each(['sum(rate(a[5m])', 'rate(a[5x])', 'a b', ''])('refuses %j', (expression) => {
  expect(() => readPromql(expression)).toThrow(SyntaxError);
});
