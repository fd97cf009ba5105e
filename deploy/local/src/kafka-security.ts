import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Certificates } from './certificates.ts';
import type { StackPaths } from './paths.ts';

const MECHANISM = 'SCRAM-SHA-512';
/** Who the services are to the brokers, and who the brokers are to each other. */
const SERVICES = 'weir';
const BROKERS = 'broker';
/** Users that may do nothing until somebody gives them rights, with the password of the services' own. */
const WITHOUT_RIGHTS = ['edge', 'normalizer', 'sink', 'operator'];
const PASSWORD_BYTES = 24;
/**
 * Whoever is connected must prove again who he is within this, as many clusters ask. The client does it 10 s before the
 * end: here every 10 s.
 */
const REAUTHENTICATION_MS = 20_000;

/** Kafka as production has it: TLS, certificates on both sides, and users with passwords. */
export interface KafkaSecurity {
  readonly certificates: Certificates;
  /** Of the services' user. */
  readonly passwordFile: string;
  readonly brokerPassword: string;
  /** Key and certificate of the brokers in one file. */
  readonly keystore: string;
}

/** How tools reach a secured Kafka, in DIR/local.json. */
export interface KafkaClientSecurity {
  readonly ca: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly mechanism: typeof MECHANISM;
  readonly user: string;
  readonly passwordFile: string;
}

/**
 * Whether WEIR_LOCAL_KAFKA_SECURITY asks for TLS and SASL.
 * @throws where it says anything but SASL_SSL
 */
export function wantsKafkaSecurity(env: NodeJS.ProcessEnv): boolean {
  const text = env.WEIR_LOCAL_KAFKA_SECURITY || 'PLAINTEXT';
  if (text !== 'PLAINTEXT' && text !== 'SASL_SSL') {
    throw new Error('WEIR_LOCAL_KAFKA_SECURITY must be PLAINTEXT or SASL_SSL');
  }
  return text === 'SASL_SSL';
}

/** Makes the passwords at first start. Users are made when the brokers' storage is, so a data directory stays with what it is. */
export function ensureKafkaSecurity(paths: StackPaths, certificates: Certificates, formatted: boolean): KafkaSecurity {
  const { kafkaPassword: passwordFile, kafkaBrokerPassword, kafkaKeystore: keystore } = paths;
  for (const file of [passwordFile, kafkaBrokerPassword]) {
    if (existsSync(file)) continue;
    if (formatted) throw new Error(`${paths.dataDir} was made without SASL; see WEIR_LOCAL_KAFKA_SECURITY`);
    writeFileSync(file, randomBytes(PASSWORD_BYTES).toString('hex'), { mode: 0o600 });
  }
  const pem = [certificates.serverKey, certificates.serverCert].map((file) => readFileSync(file, 'utf8'));
  writeFileSync(keystore, pem.map((text) => `${text.trimEnd()}\n`).join(''), { mode: 0o600 });
  return { certificates, passwordFile, brokerPassword: readFileSync(kafkaBrokerPassword, 'utf8'), keystore };
}

/** Settings of a broker; they hold a password. */
export function securedListener(security: KafkaSecurity): Record<string, string | number> {
  const login = `org.apache.kafka.common.security.scram.ScramLoginModule required username="${BROKERS}" password="${security.brokerPassword}";`;
  return {
    'security.inter.broker.protocol': 'SASL_SSL',
    'sasl.enabled.mechanisms': MECHANISM,
    'sasl.mechanism.inter.broker.protocol': MECHANISM,
    [`listener.name.sasl_ssl.${MECHANISM.toLowerCase()}.sasl.jaas.config`]: login,
    'connections.max.reauth.ms': REAUTHENTICATION_MS,
    // Only so: of SASL listeners Kafka asks for no certificates by the setting for all.
    'listener.name.sasl_ssl.ssl.client.auth': 'required',
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': security.keystore,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': security.certificates.ca,
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    // Controllers speak to each other without names here.
    'super.users': [BROKERS, SERVICES, 'ANONYMOUS'].map((name) => `User:${name}`).join(';'),
  };
}

/** Arguments of the storage tool that make the users. */
export function scramArguments({ passwordFile, brokerPassword }: KafkaSecurity): string[] {
  const password = readFileSync(passwordFile, 'utf8');
  const users = [SERVICES, ...WITHOUT_RIGHTS].map((name) => [name, password]);
  return [...users, [BROKERS, brokerPassword]].flatMap(([name, password]) => [
    '--add-scram',
    `${MECHANISM}=[name=${name},password=${password}]`,
  ]);
}

/** What the services are told. */
export function securityEnv({ certificates, passwordFile }: KafkaSecurity): Record<string, string> {
  return {
    WEIR_KAFKA_TLS: 'true',
    WEIR_KAFKA_TLS_CA_FILE: certificates.ca,
    WEIR_KAFKA_TLS_CERT_FILE: certificates.clientCert,
    WEIR_KAFKA_TLS_KEY_FILE: certificates.clientKey,
    WEIR_KAFKA_SASL_MECHANISM: MECHANISM,
    WEIR_KAFKA_SASL_USER: SERVICES,
    WEIR_KAFKA_SASL_PASSWORD_FILE: passwordFile,
  };
}

export function clientSecurity({ certificates, passwordFile }: KafkaSecurity): KafkaClientSecurity {
  const { ca, clientCert: certFile, clientKey: keyFile } = certificates;
  return { ca, certFile, keyFile, mechanism: MECHANISM, user: SERVICES, passwordFile };
}
