import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock, testCertificates } from '@weir/testkit';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { LIMITS } from '../limits.ts';
import { TlsFiles, type TlsMaterial } from './tls-files.ts';

let dir: string;
let files: Awaited<ReturnType<typeof testCertificates>>;
let authority: string;
let otherAuthority: string;
const running: TlsFiles[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-tls-'));
  files = await testCertificates(join(dir, 'one'));
  const other = await testCertificates(join(dir, 'two'));
  authority = `${await readFile(files.ca, 'utf8')}\n`;
  otherAuthority = `${await readFile(other.ca, 'utf8')}\n`;
});

afterEach(async () => {
  for (const tls of running.splice(0)) await tls.stop();
});

afterAll(() => rm(dir, { recursive: true, force: true }));

/** The files as an edge reads them; `write` changes the authorities and lets it find that. */
async function setUp(clientCa = authority) {
  const clientCaFile = join(dir, 'clients.pem');
  await writeFile(clientCaFile, clientCa);
  const clock = new FakeClock();
  const faults: unknown[] = [];
  const told: TlsMaterial[] = [];
  const paths = { certFile: files.serverCert, keyFile: files.serverKey, clientCaFile };
  const tls = new TlsFiles(paths, clock, (error) => faults.push(error));
  tls.onChange((material) => told.push(material));
  running.push(tls);
  await tls.start();
  const write = async (text: string) => {
    await writeFile(clientCaFile, text);
    await clock.advance(LIMITS.tlsPollMs);
  };
  return { clock, tls, faults, told, write };
}

function cut(text: string): string {
  return text.slice(0, text.length / 2);
}

test('new authorities are taken, of a bundle too', async () => {
  const { tls, told, faults, write } = await setUp();
  const bundle = `# Ours\n${authority}# Theirs\r\n${otherAuthority.replaceAll('\n', '\r\n')}`;
  await write(bundle);
  expect(tls.current.clientCa?.toString()).toBe(bundle);
  expect([told.length, faults]).toEqual([1, []]);
});

test.each([
  ['is empty', () => ''],
  ['holds no certificate', () => 'not a certificate'],
  ['is cut', () => cut(authority)],
  ['is a bundle cut in its second certificate', () => authority + cut(otherAuthority)],
  ['is a bundle cut in its first certificate', () => `${cut(authority)}\n${otherAuthority}`],
  [
    'holds something else beside the certificate',
    () => `${authority}-----BEGIN NOTHING-----\nAAAA\n-----END NOTHING-----\n`,
  ],
])('a file of authorities that %s is not taken: the old ones stay, which is told once', async (_what, text) => {
  const { clock, tls, told, faults, write } = await setUp();
  await write(text());
  await clock.advance(LIMITS.tlsPollMs);
  expect(tls.current.clientCa?.toString()).toBe(authority);
  expect([told.length, faults.length]).toEqual([0, 1]);
  await write(otherAuthority);
  expect(tls.current.clientCa?.toString()).toBe(otherAuthority);
});

test('at the start such a file is a fault', async () => {
  await expect(setUp('')).rejects.toThrow('authorities');
});
