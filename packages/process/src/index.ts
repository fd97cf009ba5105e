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
  brokerList,
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
