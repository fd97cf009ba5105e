import type { ClientTls } from '@weir/pipeline';
import { z } from 'zod';
import { type ConfigOf, type ConfigSource, defineConfig, setting } from './config.ts';
import { readTextFile, tlsFileFaults, tlsFileSettings, tlsFromFiles, tlsVariablesSet } from './tls-files.ts';

/** How ClickHouse is reached: of the sink, and of ingestctl. */
export const CLICKHOUSE_CONFIG = defineConfig({
  url: setting(
    'WEIR_CLICKHOUSE_URL',
    z.url({ protocol: /^https?$/, error: 'must be a URL, http or https' }),
    'HTTP interface of ClickHouse; https: the certificate is verified.',
  ),
  database: setting('WEIR_CLICKHOUSE_DATABASE', z.string().default('weir'), 'Database of the tables.'),
  username: setting('WEIR_CLICKHOUSE_USER', z.string().default('default'), 'User of ClickHouse.'),
  password: setting('WEIR_CLICKHOUSE_PASSWORD', z.string().default(''), 'Password of that user; read at the start.', {
    secret: true,
  }),
  tls: tlsFileSettings('WEIR_CLICKHOUSE', 'ClickHouse'),
});

type ClickHouseSettings = ConfigOf<typeof CLICKHOUSE_CONFIG>;

/** What the adapter of ClickHouse needs of these settings. */
export interface ClickHouseAccess {
  readonly url: string;
  readonly database: string;
  readonly username: string;
  readonly password: string;
  readonly tls?: ClientTls;
}

/** Faults between the settings of ClickHouse. */
export function clickhouseConfigFaults(
  { url, tls }: ClickHouseSettings,
  { readFile }: Pick<ConfigSource, 'readFile'>,
): string[] {
  if (isHttps(url)) return tlsFileFaults('WEIR_CLICKHOUSE', tls, readFile);
  const set = tlsVariablesSet('WEIR_CLICKHOUSE', tls);
  return set.map((name) => `${name}: means nothing without https in WEIR_CLICKHOUSE_URL`);
}

/** The settings as the adapter takes them; they have no faults. */
export function clickhouseAccess(settings: ClickHouseSettings, readFile = readTextFile): ClickHouseAccess {
  const { tls, ...access } = settings;
  return isHttps(settings.url) ? { ...access, tls: tlsFromFiles(tls, readFile) } : access;
}

function isHttps(url: string): boolean {
  return new URL(url).protocol === 'https:';
}
