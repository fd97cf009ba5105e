import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { REPOSITORY } from '@weir/deploy-checks';
import { expect, test } from 'vitest';
import { ANSWER_CASES } from './answer-case.ts';
import { readClientResults } from './client-results.ts';
import { renderClientsPage } from './clients-page.ts';
import { habitsOf } from './habits.ts';
import { TRANSPORTS, type Transport } from './measure.ts';
import { SDK_CLIENTS } from './sdk-client.ts';

const results = readClientResults();
const measured = results.flatMap((client) => client.measured);

/** What was measured of a case, as `CLIENT TRANSPORT`. */
function clientsWhere(answer: string, holds: (found: (typeof measured)[number]) => boolean): string[] {
  return measured
    .filter((each) => each.answer === answer && holds(each))
    .map((each) => `${each.client} ${each.transport}`);
}

function habits(client: string, transport: Transport) {
  return habitsOf(results.find(({ name }) => name === client)?.measured ?? [], transport);
}

test('docs/CLIENTS.md is what was measured; `npm run clients` writes it', async () => {
  expect(await readFile(join(REPOSITORY, 'docs/CLIENTS.md'), 'utf8')).toBe(renderClientsPage(results));
});

test('every client was measured with every answer over both transports, at the version that is pinned', async () => {
  for (const client of SDK_CLIENTS) {
    const found = results.find(({ name }) => name === client.name);
    expect(found?.version).toBe(await client.version());
    expect(found?.measured.length).toBe(ANSWER_CASES.length * TRANSPORTS.length);
  }
});

// What the page advises stands on these.

test('no exporter that comes again drops what it was asked once to hold for as long as an edge ever asks', () => {
  expect(clientsWhere('rate-5s', ({ arrived }) => !arrived)).toEqual(['js grpc']);
});

test('a longer wait than an edge asks for would make most exporters drop at once', () => {
  const dropped = clientsWhere('rate-12s', ({ arrived }) => !arrived);
  expect(dropped).toEqual(expect.arrayContaining(['js http', 'python http', 'python grpc', 'java http', 'go grpc']));
});

test('only the gRPC exporter of JavaScript never comes again', () => {
  const never = results.flatMap(({ name }) =>
    TRANSPORTS.filter((transport) => habits(name, transport).waits === 'never comes again').map(
      (one) => `${name} ${one}`,
    ),
  );
  expect(never).toEqual(['js grpc']);
});

test('Retry-After is kept by JavaScript, Python and Java, RetryInfo by Python', () => {
  for (const client of ['js', 'python', 'java']) expect(habits(client, 'http').waits).toBe('as asked');
  expect(habits('python', 'grpc').waits).toBe('as asked');
  expect(habits('java', 'grpc').waits).toBe('its own time');
});

test('what is final is sent once, but for gRPC bodies that are too large, which Python and Java send again', () => {
  for (const answer of ['malformed', 'no-key'])
    expect(clientsWhere(answer, ({ attempts }) => attempts !== 1)).toEqual([]);
  expect(clientsWhere('too-large', ({ attempts }) => attempts !== 1)).toEqual(['python grpc', 'java grpc']);
});

test('bodies come as gzip', () => {
  expect(clientsWhere('success', ({ encodings }) => encodings.join() !== 'gzip')).toEqual([]);
});

test('Go alone tells its SDK that an export failed of which a part was accepted', () => {
  expect(clientsWhere('partial', ({ arrived, told }) => arrived && told === 'failure')).toEqual(['go http', 'go grpc']);
});
