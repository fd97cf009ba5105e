import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import type { LoadSignal } from './payload.ts';
import type { LoadOptions } from './run-load.ts';
import type { LoadTransport, Target } from './sent.ts';

interface LocalFile {
  readonly otlp: { readonly grpc: string; readonly http: string };
  readonly clickhouse: { readonly url: string; readonly database: string };
  readonly ca: string;
  readonly tenants: Readonly<Record<string, { readonly key: string }>>;
}

/** What the command line asked for. */
export interface LoadCommand {
  readonly load: LoadOptions;
  /** For the time to queryable and for `--verify`; unknown where only an endpoint was given. */
  readonly clickhouse: LocalFile['clickhouse'] | undefined;
  readonly journal: string | undefined;
  readonly verify: boolean;
  readonly json: boolean;
}

interface Given {
  readonly dataDir: string;
  readonly endpoint?: string;
  readonly grpcEndpoint?: string;
  readonly key?: string;
  readonly ca?: string;
  readonly clickhouse?: string;
  readonly database: string;
  readonly transport: string;
  readonly signal: string;
  readonly tenants: string;
  readonly gzip?: boolean;
  readonly seed?: string;
  readonly journal?: string;
  readonly verify?: boolean;
  readonly json?: boolean;
}

const TRANSPORTS = ['http', 'grpc', 'http-json'] as const satisfies readonly LoadTransport[];
const SIGNALS = ['traces', 'logs', 'metrics'] as const satisfies readonly LoadSignal[];

const HELP = `
Examples:
  npm run load -- --producers 200 --rate 50 --seconds 30 --verify
  npm run load -- --transport grpc --signal mixed --tenants demo=3,acme=1 --json
  npm run load -- --endpoint https://localhost:4318 --key wk_… --ca .weir/tls/ca.pem --transport http

Exit status: 0 done, 1 --verify found items lost, doubled, never sent or under another tenant, 2 it could not run.`;

/** The command line of the load generator. */
export function loadProgram(): Command {
  return new Command('load')
    .description(
      'Many OTLP producers, open loop: exports leave when they are due, whatever became of the earlier ones.',
    )
    .option('--data-dir <DIR>', 'data directory of a local stack', '.weir')
    .option('--endpoint <URL>', 'OTLP/HTTP endpoint, instead of a local stack')
    .option('--grpc-endpoint <URL>', 'OTLP/gRPC endpoint, instead of a local stack')
    .option('--key <KEY>', 'key, for an endpoint')
    .option('--ca <FILE>', 'CA certificate, for an endpoint')
    .option('--clickhouse <URL>', 'HTTP interface of ClickHouse, for an endpoint')
    .option('--database <NAME>', 'database of the tables, for an endpoint', 'weir')
    .option('--producers <N>', 'producers', '200')
    .option('--rate <N>', 'items a second of each producer', '50')
    .option('--seconds <N>', 'how long', '30')
    .option('--items-per-export <N>', 'items of an export', '50')
    .option('--transport <KIND>', `${TRANSPORTS.join(', ')} or mixed`, 'mixed')
    .option('--signal <KIND>', `${SIGNALS.join(', ')} or mixed`, 'traces')
    .option('--errors <SHARE>', 'share of items with an error', '0.05')
    .option('--tenants <LIST>', 'NAME=WEIGHT with commas between; keys come from the stack', 'demo=1')
    .option('--connections <N>', 'connections of each transport', '8')
    .option('--outstanding <N>', 'exports under way at most', '2000')
    .option('--gzip', 'compress over HTTP')
    .option('--seed <TEXT>', 'makes trace ids and errors the same in every run')
    .option('--journal <FILE>', 'append each export before it is sent, and its fate; a JSON line each')
    .option('--verify', 'ask ClickHouse: all accepted items stored, each once, under its tenant')
    .option('--json', 'print the summary as JSON')
    .addHelpText('after', HELP)
    .exitOverride();
}

/** Reads what a parsed program was given. @throws Error that says what is wrong */
export function readCommand(command: Command): LoadCommand {
  const given = command.opts<Given & Record<string, string>>();
  const where = given.endpoint !== undefined || given.grpcEndpoint !== undefined ? endpoints(given) : local(given);
  return {
    load: {
      target: where.target,
      tenants: where.tenants,
      producers: number(given, 'producers', 1),
      rate: number(given, 'rate', 0.001),
      seconds: number(given, 'seconds', 0),
      itemsPerExport: number(given, 'itemsPerExport', 1),
      transports: choose('--transport', given.transport, where.transports),
      signals: choose('--signal', given.signal, SIGNALS),
      errors: number(given, 'errors', 0),
      gzip: given.gzip === true,
      connections: number(given, 'connections', 1),
      outstandingMax: number(given, 'outstanding', 1),
      ...(given.seed === undefined ? {} : { seed: given.seed }),
    },
    clickhouse: where.clickhouse,
    journal: given.journal,
    verify: given.verify === true,
    json: given.json === true,
  };
}

interface Where {
  readonly target: Target;
  readonly tenants: LoadOptions['tenants'];
  readonly transports: readonly LoadTransport[];
  readonly clickhouse: LocalFile['clickhouse'] | undefined;
}

function endpoints(given: Given): Where {
  const { endpoint, grpcEndpoint, key, ca, clickhouse, database } = given;
  if (key === undefined) throw new Error('an endpoint needs --key');
  for (const url of [endpoint, grpcEndpoint, clickhouse]) {
    if (url !== undefined && !URL.canParse(url)) throw new Error(`${url} is not a URL`);
  }
  if (given.verify === true && clickhouse === undefined) throw new Error('--verify needs --clickhouse');
  // The tenant behind a key is not known here: rows are checked to be under one tenant, whichever it is.
  return {
    target: {
      grpc: grpcEndpoint ?? '',
      http: endpoint?.replace(/\/$/, '') ?? '',
      ca: ca === undefined ? undefined : readFileSync(ca),
    },
    tenants: [{ name: '', key, weight: 1 }],
    transports: TRANSPORTS.filter((one) => (one === 'grpc' ? grpcEndpoint : endpoint) !== undefined),
    clickhouse: clickhouse === undefined ? undefined : { url: clickhouse, database },
  };
}

function local(given: Given): Where {
  const path = join(given.dataDir, 'local.json');
  let file: LocalFile;
  try {
    file = JSON.parse(readFileSync(path, 'utf8')) as LocalFile;
  } catch {
    throw new Error(`${path} cannot be read: start a local stack, or give --endpoint`);
  }
  const tenants = given.tenants.split(',').map((part) => {
    const [name = '', weight = '1'] = part.split('=');
    const key = file.tenants[name]?.key;
    if (key === undefined) throw new Error(`the stack has no key for the tenant ${name}`);
    if (!(Number(weight) > 0)) throw new Error(`the weight of ${name} must be above 0`);
    return { name, key, weight: Number(weight) };
  });
  const target = { ...file.otlp, ca: readFileSync(file.ca) };
  return { target, tenants, transports: TRANSPORTS, clickhouse: file.clickhouse };
}

function choose<T extends string>(option: string, text: string, all: readonly T[]): T[] {
  if (text === 'mixed') return [...all];
  const found = all.filter((one) => one === text);
  if (found.length === 0) throw new Error(`${option} must be ${all.join(', ')} or mixed`);
  return found;
}

function number(given: Readonly<Record<string, string>>, name: string, min: number): number {
  const value = Number(given[name]);
  if (Number.isFinite(value) && value >= min) return value;
  throw new Error(`--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} must be a number from ${min}`);
}
