import type { ClientTls } from '@weir/pipeline';
import { z } from 'zod';
import { type ConfigOf, type ConfigSource, defineConfig, setting } from './config.ts';
import { brokerList, flag } from './parsers.ts';
import { readTextFile, tlsFileFaults, tlsFileSettings, tlsFromFiles, tlsVariablesSet } from './tls-files.ts';

const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;
export type SaslMechanism = (typeof MECHANISMS)[number];

/** How Kafka is reached: of every service, and of ingestctl. */
export const KAFKA_CONFIG = defineConfig({
  brokers: setting('WEIR_KAFKA_BROKERS', brokerList, 'Kafka brokers.'),
  tls: {
    enabled: setting(
      'WEIR_KAFKA_TLS',
      z.string().default('false').pipe(flag),
      'true: TLS to the brokers, whose certificates are verified.',
    ),
    ...tlsFileSettings('WEIR_KAFKA', 'the brokers'),
  },
  sasl: {
    mechanism: setting(
      'WEIR_KAFKA_SASL_MECHANISM',
      z.enum(MECHANISMS, { error: `must be ${MECHANISMS.join(', ')}` }).optional(),
      `SASL: ${MECHANISMS.join(', ')} (PLAIN only with WEIR_KAFKA_TLS). Unset: none.`,
    ),
    username: setting('WEIR_KAFKA_SASL_USER', z.string().optional(), 'User of Kafka.'),
    password: setting('WEIR_KAFKA_SASL_PASSWORD', z.string().optional(), 'Password of that user; read at the start.', {
      secret: true,
    }),
  },
});

type KafkaSettings = ConfigOf<typeof KAFKA_CONFIG>;

/** What the adapter of Kafka needs of these settings. */
export interface KafkaAccess {
  readonly brokers: readonly string[];
  readonly tls?: ClientTls;
  readonly sasl?: { readonly mechanism: SaslMechanism; readonly username: string; readonly password: string };
}

/** Faults between the settings of Kafka. */
export function kafkaConfigFaults(
  { tls, sasl }: KafkaSettings,
  { readFile }: Pick<ConfigSource, 'readFile'>,
): string[] {
  const faults: string[] = [];
  if (tls.enabled) faults.push(...tlsFileFaults('WEIR_KAFKA', tls, readFile));
  else
    for (const name of tlsVariablesSet('WEIR_KAFKA', tls))
      faults.push(`${name}: means nothing without WEIR_KAFKA_TLS=true`);
  const { mechanism, username, password } = sasl;
  if (mechanism === undefined) {
    if (username !== undefined) faults.push('WEIR_KAFKA_SASL_USER: means nothing without WEIR_KAFKA_SASL_MECHANISM');
    if (password !== undefined)
      faults.push('WEIR_KAFKA_SASL_PASSWORD: means nothing without WEIR_KAFKA_SASL_MECHANISM');
    return faults;
  }
  if (username === undefined) faults.push('WEIR_KAFKA_SASL_USER: is required with WEIR_KAFKA_SASL_MECHANISM');
  if (password === undefined) faults.push('WEIR_KAFKA_SASL_PASSWORD: is required with WEIR_KAFKA_SASL_MECHANISM');
  if (mechanism === 'PLAIN' && !tls.enabled) {
    faults.push('WEIR_KAFKA_SASL_MECHANISM: PLAIN sends the password as it is, so it needs WEIR_KAFKA_TLS=true');
  }
  return faults;
}

/** The settings as the adapter takes them; they have no faults. */
export function kafkaAccess({ brokers, tls, sasl }: KafkaSettings, readFile = readTextFile): KafkaAccess {
  const { mechanism, username = '', password = '' } = sasl;
  return {
    brokers,
    ...(tls.enabled ? { tls: tlsFromFiles(tls, readFile) } : {}),
    ...(mechanism === undefined ? {} : { sasl: { mechanism, username, password } }),
  };
}
