import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testCertificates } from '@weir/testkit';
import { afterAll, expect, test } from 'vitest';
import { certificateEnds } from './certificate-ends.ts';

const DAY_MS = 86_400_000;
const LEAF_DAYS = 825;
const dir = mkdtempSync(join(tmpdir(), 'weir-ends-'));
const nowMs = Date.parse('2026-11-21T12:00:00Z');
const made = await testCertificates(join(dir, 'new'), new Date(nowMs));
const old = await testCertificates(join(dir, 'old'), new Date(nowMs - (LEAF_DAYS - 3) * DAY_MS));
const text = (path: string) => readFileSync(path, 'utf8');

afterAll(() => rmSync(dir, { recursive: true, force: true }));

function daysOf(cert: string | undefined, ca: string | undefined, atMs = nowMs) {
  const material = { ...(cert === undefined ? {} : { cert }), ...(ca === undefined ? {} : { ca }) };
  const kafka = { serverName: undefined, material: () => material };
  return certificateEnds({ kafka, clickhouse: undefined }, atMs).map(({ dependency, file, endsS }) => [
    dependency,
    file,
    Math.round((endsS * 1_000 - nowMs) / DAY_MS),
  ]);
}

test('each file says when it ends; a dependency without files says nothing', () => {
  expect(daysOf(text(made.clientCert), text(made.ca))).toEqual([
    ['kafka', 'cert', LEAF_DAYS],
    ['kafka', 'ca', 3_650],
  ]);
  expect(daysOf(undefined, text(made.ca))).toEqual([['kafka', 'ca', 3_650]]);
  expect(daysOf(undefined, undefined)).toEqual([]);
});

test('of several the next one to end counts, and one that has ended only where all have', () => {
  const both = text(made.clientCert) + text(old.clientCert);
  expect(daysOf(both, undefined)).toEqual([['kafka', 'cert', 3]]);
  const later = nowMs + 4 * DAY_MS;
  expect(daysOf(both, undefined, later)).toEqual([['kafka', 'cert', LEAF_DAYS]]);
  expect(daysOf(text(old.clientCert), undefined, later)).toEqual([['kafka', 'cert', 3]]);
});

test('a file without a certificate that can be read says nothing', () => {
  expect(daysOf('', 'nothing')).toEqual([]);
  expect(daysOf('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', undefined)).toEqual([]);
});
