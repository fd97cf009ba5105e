import { expect, test } from 'vitest';
import { acceptsGzip } from './http-answer.ts';

test.each([
  ['gzip', true],
  ['deflate, GZIP;q=0.5', true],
  ['*', true],
  ['gzip;q=0', false],
  ['gzip; q=0.000', false],
  ['identity', false],
  ['x-gzip, br', false],
  ['', false],
  [undefined, false],
])('accept-encoding %s asks for gzip: %s', (header, asks) => {
  expect(acceptsGzip(header === undefined ? {} : { 'accept-encoding': header })).toBe(asks);
});
