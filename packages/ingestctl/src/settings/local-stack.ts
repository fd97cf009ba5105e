import { join } from 'node:path';
import { type Outside, UsageError } from '../outside.ts';

interface LocalFile {
  readonly clickhouse?: { readonly url?: string; readonly database?: string };
  readonly kafka?: { readonly brokers?: readonly string[]; readonly security?: LocalSecurity };
  readonly services?: Readonly<Record<string, { readonly admin: string }>>;
  readonly envoy?: LocalEnvoy;
}

/** The Envoy of a local stack. */
export interface LocalEnvoy {
  readonly admin: string;
  /** The file that it follows. */
  readonly routes: string;
  readonly binary?: string;
}

interface LocalSecurity {
  readonly ca: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly mechanism: string;
  readonly user: string;
  readonly passwordFile: string;
}

const DEFAULT_DATA_DIR = '.weir';

/** What DIR/local.json of a local stack says, in the words of the environment. */
export interface LocalStack {
  readonly path: string;
  readonly kafka: Readonly<Record<string, string>>;
  readonly clickhouse: Readonly<Record<string, string>>;
  /** Admin endpoints of the services, by name. */
  readonly admins: Readonly<Record<string, string>>;
  readonly envoy?: LocalEnvoy | undefined;
}

/** @throws UsageError where it cannot be read; where nobody named the directory there need not be one */
export function readLocalStack(outside: Outside, dataDir: string | undefined): LocalStack | undefined {
  const path = join(dataDir ?? DEFAULT_DATA_DIR, 'local.json');
  let file: LocalFile;
  try {
    file = JSON.parse(outside.readFile(path)) as LocalFile;
  } catch (error) {
    if (dataDir === undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new UsageError(`${path} cannot be read: is there a local stack in that directory?`);
  }
  const services = Object.entries(file.services ?? {});
  const { brokers = [], security } = file.kafka ?? {};
  const { url, database } = file.clickhouse ?? {};
  return {
    path,
    kafka: {
      ...(brokers.length === 0 ? {} : { WEIR_KAFKA_BROKERS: brokers.join(',') }),
      ...(security === undefined ? {} : secured(security)),
    },
    clickhouse: {
      ...(url === undefined ? {} : { WEIR_CLICKHOUSE_URL: url }),
      ...(database === undefined ? {} : { WEIR_CLICKHOUSE_DATABASE: database }),
    },
    admins: Object.fromEntries(services.map(([name, { admin }]) => [name, admin])),
    envoy: file.envoy,
  };
}

function secured({ ca, certFile, keyFile, mechanism, user, passwordFile }: LocalSecurity): Record<string, string> {
  return {
    WEIR_KAFKA_TLS: 'true',
    WEIR_KAFKA_TLS_CA_FILE: ca,
    WEIR_KAFKA_TLS_CERT_FILE: certFile,
    WEIR_KAFKA_TLS_KEY_FILE: keyFile,
    WEIR_KAFKA_SASL_MECHANISM: mechanism,
    WEIR_KAFKA_SASL_USER: user,
    WEIR_KAFKA_SASL_PASSWORD_FILE: passwordFile,
  };
}
