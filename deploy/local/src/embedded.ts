/** Why the embedded Kafka and ClickHouse must not run in this environment: they are one process and one disk each. */
export function embeddedRefusal(env: NodeJS.ProcessEnv): string | undefined {
  if (env.NODE_ENV !== 'production' || env.WEIR_ALLOW_EMBEDDED === 'true') return undefined;
  return 'the embedded Kafka and ClickHouse are not for production (NODE_ENV); set WEIR_ALLOW_EMBEDDED=true to run them all the same';
}
