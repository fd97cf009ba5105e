import type { Context } from './context.ts';
import { printRows } from './output.ts';

/** What is shown, and the variable that says it. */
const SHOWN = [
  ['kafka', 'brokers', 'WEIR_KAFKA_BROKERS'],
  ['kafka', 'tls', 'WEIR_KAFKA_TLS'],
  ['kafka', 'caFile', 'WEIR_KAFKA_TLS_CA_FILE'],
  ['kafka', 'certFile', 'WEIR_KAFKA_TLS_CERT_FILE'],
  ['kafka', 'keyFile', 'WEIR_KAFKA_TLS_KEY_FILE'],
  ['kafka', 'serverName', 'WEIR_KAFKA_TLS_SERVER_NAME'],
  ['kafka', 'mechanism', 'WEIR_KAFKA_SASL_MECHANISM'],
  ['kafka', 'user', 'WEIR_KAFKA_SASL_USER'],
  ['kafka', 'password', 'WEIR_KAFKA_SASL_PASSWORD'],
  ['clickhouse', 'url', 'WEIR_CLICKHOUSE_URL'],
  ['clickhouse', 'database', 'WEIR_CLICKHOUSE_DATABASE'],
  ['clickhouse', 'cluster', 'WEIR_CLICKHOUSE_CLUSTER'],
  ['clickhouse', 'user', 'WEIR_CLICKHOUSE_USER'],
  ['clickhouse', 'password', 'WEIR_CLICKHOUSE_PASSWORD'],
  ['clickhouse', 'caFile', 'WEIR_CLICKHOUSE_TLS_CA_FILE'],
  ['clickhouse', 'certFile', 'WEIR_CLICKHOUSE_TLS_CERT_FILE'],
  ['clickhouse', 'keyFile', 'WEIR_CLICKHOUSE_TLS_KEY_FILE'],
  ['clickhouse', 'serverName', 'WEIR_CLICKHOUSE_TLS_SERVER_NAME'],
  ['pepper', '', 'WEIR_KEY_PEPPER'],
] as const;

const SECRETS = new Set<string>(['WEIR_KAFKA_SASL_PASSWORD', 'WEIR_CLICKHOUSE_PASSWORD', 'WEIR_KEY_PEPPER']);
const DEFAULTS: Readonly<Record<string, string>> = {
  WEIR_CLICKHOUSE_DATABASE: 'weir',
  WEIR_CLICKHOUSE_USER: 'default',
  WEIR_KAFKA_TLS: 'false',
};

interface Shown {
  readonly name: string;
  readonly value: unknown;
  /** Where it came from. */
  readonly from: string;
}

/** Prints where everything is taken to be and where that is said, without secrets. */
export function showConfig(context: Context): number {
  const found = SHOWN.map(([group, name, variable]) => ({ group, name, ...lookUp(context, variable) }));
  const { admins } = context;
  if (context.options.json === true) {
    const of = (group: string) => found.filter((entry) => entry.group === group);
    const values = (group: string) => Object.fromEntries(of(group).map(({ name, value }) => [name, value]));
    const shown = {
      kafka: values('kafka'),
      clickhouse: values('clickhouse'),
      pepper: of('pepper')[0]?.value,
      admins,
      from: Object.fromEntries(found.flatMap((entry) => (entry.value === null ? [] : [[titleOf(entry), entry.from]]))),
    };
    context.outside.out(`${JSON.stringify(shown, null, 2)}\n`);
    return 0;
  }
  const rows = [
    ...found.map((entry) => [titleOf(entry), textOf(entry.value), entry.from]),
    ...Object.entries(admins).map(([name, url]) => [`admins.${name}`, url, context.adminsFrom]),
  ];
  printRows(context.outside, false, ['setting', 'value', 'from'], rows);
  return 0;
}

function titleOf({ group, name }: { readonly group: string; readonly name: string }): string {
  return name === '' ? group : `${group}.${name}`;
}

function textOf(value: unknown): string {
  if (value === null) return '-';
  return Array.isArray(value) ? value.join(',') : String(value);
}

function lookUp(context: Context, variable: string): Omit<Shown, 'name'> {
  const secret = SECRETS.has(variable);
  const found = context.settings.find(variable, secret);
  if (secret) {
    // Read, so that a file that is not there is told here.
    const isSet = context.settings.secret(variable) !== undefined;
    return { value: isSet ? 'set' : 'not set', from: found?.from ?? '' };
  }
  if (found?.text === undefined)
    return { value: DEFAULTS[variable] ?? null, from: variable in DEFAULTS ? 'default' : '' };
  return { value: shownValue(variable, found.text), from: found.from };
}

function shownValue(variable: string, text: string): unknown {
  if (variable === 'WEIR_CLICKHOUSE_URL') return withoutSecrets(text);
  if (variable !== 'WEIR_KAFKA_BROKERS') return text;
  return text.split(',').map((part) => part.trim());
}

function withoutSecrets(url: string): string {
  if (!URL.canParse(url)) return url;
  const parsed = new URL(url);
  if (parsed.password !== '') parsed.password = '***';
  for (const name of [...parsed.searchParams.keys()]) {
    if (/password|token|key/i.test(name)) parsed.searchParams.set(name, '***');
  }
  return parsed.href;
}
