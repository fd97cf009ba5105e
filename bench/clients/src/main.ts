import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from '@weir/deploy-checks';
import { readCommandLine, wrongUsage } from '@weir/testkit';
import { ANSWER_CASES } from './answer-case.ts';
import { type ClientResult, readClientResults, writeClientResults } from './client-results.ts';
import { renderClientsPage } from './clients-page.ts';
import { measureClient } from './measure.ts';
import { SDK_CLIENTS, type SdkClient } from './sdk-client.ts';

const HELP = `What real OpenTelemetry SDKs do with each answer of the edge.

  npm run clients                       measures all and writes bench/results/clients.json and docs/CLIENTS.md
  npm run clients -- --client js,go     measures these and prints it
  npm run clients -- --page             writes docs/CLIENTS.md anew from what was measured last

Takes some two minutes, on a machine that does nothing else: it is waits that are measured. JavaScript and Python need nothing else; Java needs Maven and a JDK, Go needs go.
Exit status: 0 all were measured, 1 one could not be installed or run, 2 wrong usage.
`;

function writePage(results: readonly ClientResult[]): void {
  writeFileSync(join(REPOSITORY, 'docs/CLIENTS.md'), renderClientsPage(results));
}

async function measure(client: SdkClient): Promise<ClientResult> {
  const { name, title } = client;
  const version = await client.version();
  try {
    return { name, title, version, measured: await measureClient(client, ANSWER_CASES) };
  } catch (error) {
    process.stderr.write(`${title} was not measured: ${(error as Error).message}\n`);
    return { name, title, version, measured: [] };
  }
}

async function main(): Promise<number> {
  const values = readCommandLine({ client: { type: 'string' }, page: { type: 'boolean', default: false } }, HELP);
  const names = values.client?.split(',') ?? SDK_CLIENTS.map(({ name }) => name);
  const clients = SDK_CLIENTS.filter(({ name }) => names.includes(name));
  if (clients.length !== names.length) wrongUsage(`--client names what is none: ${values.client}`);
  if (values.page) {
    writePage(readClientResults());
    return 0;
  }
  const results: ClientResult[] = [];
  for (const client of clients) results.push(await measure(client));
  if (values.client === undefined) {
    writeClientResults(results);
    writePage(results);
  } else process.stdout.write(renderClientsPage(results));
  return results.every(({ measured }) => measured.length > 0) ? 0 : 1;
}

process.exitCode = await main();
