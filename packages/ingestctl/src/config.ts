import { stringify } from 'yaml';
import { type Context, UsageError } from './context.ts';

/** Prints where everything is taken to be, without secrets. */
export function showConfig(context: Context): number {
  const { env } = context.outside;
  const shown = {
    kafka: { brokers: known(() => context.brokers) },
    clickhouse: {
      url: known(() => withoutSecrets(context.clickhouseUrl)),
      database: context.database,
      cluster: context.cluster ?? null,
      user: env.WEIR_CLICKHOUSE_USER ?? 'default',
      password: context.secret('WEIR_CLICKHOUSE_PASSWORD') === undefined ? 'not set' : 'set',
    },
    pepper: context.secret('WEIR_KEY_PEPPER') === undefined ? 'not set' : 'set',
    admins: context.admins,
  };
  context.outside.out(context.options.json === true ? `${JSON.stringify(shown, null, 2)}\n` : stringify(shown));
  return 0;
}

function known<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof UsageError) return null;
    throw error;
  }
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
