export { collectCertificateEnds } from './certificate-ends.ts';
export {
  CLICKHOUSE_CONFIG,
  type ClickHouseAccess,
  clickhouseAccess,
  clickhouseConfigFaults,
} from './clickhouse-settings.ts';
export {
  type ConfigOf,
  type ConfigSource,
  type ConfigSpec,
  defineConfig,
  describeConfig,
  type LoadedConfig,
  loadConfig,
  type Setting,
  setting,
  settingsOf,
} from './config.ts';
export {
  KAFKA_CONFIG,
  type KafkaAccess,
  kafkaAccess,
  kafkaConfigFaults,
  type SaslMechanism,
} from './kafka-settings.ts';
export {
  byteSize,
  byteSizeBetween,
  durationBetween,
  durationMs,
  flag,
  type HostPort,
  hostPort,
  wholeNumber,
} from './parsers.ts';
export { PROCESS_CONFIG, runService, type ServiceContext, type ServiceDefinition } from './service.ts';
export { authorityFaults, tlsFileFaults } from './tls-files.ts';
