import { dirname, isAbsolute, join } from 'node:path';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { type Outside, UsageError } from '../outside.ts';

const text = z.string().min(1, 'must not be empty');
const tlsFiles = {
  caFile: text.optional(),
  certFile: text.optional(),
  keyFile: text.optional(),
  serverName: text.optional(),
};

const FILE = z.strictObject({
  track: text.optional(),
  kafka: z
    .strictObject({
      brokers: z.union([text, z.array(text).min(1)], { error: 'must be HOST:PORT, or a list of these' }).optional(),
      partitions: z.int().optional(),
      replicationFactor: z.int().optional(),
      tls: z.strictObject({ enabled: z.boolean().optional(), ...tlsFiles }).optional(),
      sasl: z
        .strictObject({
          mechanism: text.optional(),
          user: text.optional(),
          password: text.optional(),
          passwordFile: text.optional(),
        })
        .optional(),
    })
    .optional(),
  clickhouse: z
    .strictObject({
      url: text.optional(),
      database: text.optional(),
      cluster: text.optional(),
      user: text.optional(),
      password: text.optional(),
      passwordFile: text.optional(),
      tls: z.strictObject(tlsFiles).optional(),
    })
    .optional(),
  pepperFile: text.optional(),
  admins: z.record(z.string(), z.url({ error: 'must be a URL' })).optional(),
});

/** Each key of the file, and the variable of the environment that says the same. */
export const FILE_KEYS = {
  track: 'WEIR_TRACK',
  'kafka.brokers': 'WEIR_KAFKA_BROKERS',
  'kafka.partitions': 'WEIR_KAFKA_PARTITIONS',
  'kafka.replicationFactor': 'WEIR_KAFKA_REPLICATION_FACTOR',
  'kafka.tls.enabled': 'WEIR_KAFKA_TLS',
  'kafka.tls.caFile': 'WEIR_KAFKA_TLS_CA_FILE',
  'kafka.tls.certFile': 'WEIR_KAFKA_TLS_CERT_FILE',
  'kafka.tls.keyFile': 'WEIR_KAFKA_TLS_KEY_FILE',
  'kafka.tls.serverName': 'WEIR_KAFKA_TLS_SERVER_NAME',
  'kafka.sasl.mechanism': 'WEIR_KAFKA_SASL_MECHANISM',
  'kafka.sasl.user': 'WEIR_KAFKA_SASL_USER',
  'kafka.sasl.password': 'WEIR_KAFKA_SASL_PASSWORD',
  'kafka.sasl.passwordFile': 'WEIR_KAFKA_SASL_PASSWORD_FILE',
  'clickhouse.url': 'WEIR_CLICKHOUSE_URL',
  'clickhouse.database': 'WEIR_CLICKHOUSE_DATABASE',
  'clickhouse.cluster': 'WEIR_CLICKHOUSE_CLUSTER',
  'clickhouse.user': 'WEIR_CLICKHOUSE_USER',
  'clickhouse.password': 'WEIR_CLICKHOUSE_PASSWORD',
  'clickhouse.passwordFile': 'WEIR_CLICKHOUSE_PASSWORD_FILE',
  'clickhouse.tls.caFile': 'WEIR_CLICKHOUSE_TLS_CA_FILE',
  'clickhouse.tls.certFile': 'WEIR_CLICKHOUSE_TLS_CERT_FILE',
  'clickhouse.tls.keyFile': 'WEIR_CLICKHOUSE_TLS_KEY_FILE',
  'clickhouse.tls.serverName': 'WEIR_CLICKHOUSE_TLS_SERVER_NAME',
  pepperFile: 'WEIR_KEY_PEPPER_FILE',
} as const;

/** A configuration file, in the words of the environment. */
export interface ConfigFile {
  readonly path: string;
  readonly values: Readonly<Record<string, string>>;
  readonly admins: Readonly<Record<string, string>>;
}

/**
 * The configuration file: the one that is named, by --config or WEIR_CONFIG, or else the first that is there of ./weir.yaml and
 * weir/config.yaml in the user's configuration directory.
 * @throws UsageError where it cannot be read, or has a key that is not known
 */
export function readConfigFile(outside: Outside, option: string | undefined): ConfigFile | undefined {
  const { env } = outside;
  const named = option ?? (env.WEIR_CONFIG || undefined);
  if (named !== undefined) return parseConfigFile(named, readNamed(outside, named));
  const home = env.XDG_CONFIG_HOME || (env.HOME ? join(env.HOME, '.config') : undefined);
  for (const path of ['weir.yaml', ...(home === undefined ? [] : [join(home, 'weir/config.yaml')])]) {
    let found: string;
    try {
      found = outside.readFile(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      throw new UsageError(`${path} cannot be read`);
    }
    return parseConfigFile(path, found);
  }
  return undefined;
}

function readNamed(outside: Outside, path: string): string {
  try {
    return outside.readFile(path);
  } catch {
    throw new UsageError(`${path} cannot be read`);
  }
}

/** Paths in the file are relative to its own folder. @throws UsageError */
export function parseConfigFile(path: string, content: string): ConfigFile {
  const document = parseDocument(content);
  const [fault] = document.errors;
  if (fault !== undefined) throw new UsageError(`${path}: is not YAML: ${fault.message.split('\n')[0]}`);
  const parsed = FILE.safeParse(document.toJS() ?? {});
  if (!parsed.success) throw new UsageError(`${path}: ${parsed.error.issues.map(describe).join('; ')}`);
  const { admins = {}, ...rest } = parsed.data;
  const values: Record<string, string> = {};
  for (const [key, variable] of Object.entries(FILE_KEYS)) {
    const value = key
      .split('.')
      .reduce<unknown>((at, part) => (at as Record<string, unknown> | undefined)?.[part], rest);
    if (value === undefined) continue;
    const said = Array.isArray(value) ? value.join(',') : String(value);
    values[variable] = key.endsWith('File') && !isAbsolute(said) ? join(dirname(path), said) : said;
  }
  return { path, values, admins };
}

function describe(issue: z.core.$ZodIssue): string {
  const at = issue.path.join('.');
  if (issue.code !== 'unrecognized_keys') return `${at || 'the file'}: ${issue.message}`;
  const keys = issue.keys.map((key) => (at === '' ? key : `${at}.${key}`));
  return `unknown key ${keys.join(', ')}`;
}
