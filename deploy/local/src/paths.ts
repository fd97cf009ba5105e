import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../../..');

/** What is installed once for the checkout, whatever data directories it serves. */
export const CACHE = join(ROOT, 'node_modules/.cache/weir');
/** What Node keeps of sources that it has read. */
export const COMPILE_CACHE = join(CACHE, 'compiled');

/** Where everything of one stack lies. */
export function stackPaths(dataDir: string) {
  const at = (name: string) => join(dataDir, name);
  return {
    dataDir,
    logs: at('logs'),
    run: at('run'),
    tls: at('tls'),
    kafkaData: (broker: string) => at(broker),
    kafkaConfig: (broker: string) => at(`run/${broker}.properties`),
    clickhouseData: at('clickhouse'),
    clickhouseTmp: at('run/clickhouse-tmp'),
    envoyConfig: at('run/envoy.yaml'),
    kafkaPassword: at('kafka-password'),
    kafkaBrokerPassword: at('kafka-broker-password'),
    kafkaKeystore: at('tls/kafka.pem'),
    /** In a folder of its own, which Envoy watches. */
    envoyRoutes: at('envoy-routes/otlp.yaml'),
    pepper: at('pepper'),
    keys: at('keys.json'),
    tenants: at('tenants.yaml'),
    localFile: at('local.json'),
    pid: at('run/weir.json'),
    log: at('logs/weir.log'),
    state: (service: string, track: string) => at(`state/${service}-${track}`),
  };
}

export type StackPaths = ReturnType<typeof stackPaths>;
