import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Clock, type Component, systemClock } from '@weir/pipeline';
import { createLogger, LOG_LEVELS, type Logger, measureProcess, Registry } from '@weir/telemetry';
import { z } from 'zod';
import {
  type ConfigOf,
  type ConfigSource,
  type ConfigSpec,
  defineConfig,
  describeConfig,
  loadConfig,
  setting,
} from './config.ts';
import { relaxExternalMemory } from './external-memory.ts';
import { listenForFaults } from './fault-signal.ts';
import { durationMs } from './parsers.ts';

/** What a service's `createApp` gets beside its configuration. */
export interface ServiceContext {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly version: string;
  /** Random for each start, 16 hex digits. */
  readonly instance: string;
  /** Ends the process in an orderly way with exit status 1: the error is logged once, parts are stopped. */
  fatal(error: unknown): void;
}

/** A service as `main.ts` names it. */
export interface ServiceDefinition<T extends ConfigSpec> {
  readonly name: string;
  readonly config: T;
  /** Faults between settings each of which is good alone. */
  readonly configFaults?: (config: ConfigOf<T>, source: ConfigSource) => readonly string[];
  createApp(config: ConfigOf<T>, context: ServiceContext): Component;
}

/** Settings that every service has. */
export const PROCESS_CONFIG = defineConfig({
  logLevel: setting('WEIR_LOG_LEVEL', z.enum(LOG_LEVELS).default('info'), 'Least severe level that is logged.'),
  stopDeadlineMs: setting(
    'WEIR_STOP_DEADLINE',
    z.string().default('25s').pipe(durationMs),
    'How long a stop may take before the process ends anyway.',
  ),
  faultPointsFile: setting(
    'WEIR_FAULT_POINTS_FILE',
    z.string().optional(),
    'For fault tests only: on SIGUSR2 the process kills itself at the step that this file names.',
  ),
});

const VERSION = '0.1.0';
const EXIT_OK = 0;
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/**
 * Runs one service until SIGTERM or SIGINT (exit 0), a fatal error (exit 1) or a bad configuration (exit 2).
 * `--help` lists the settings, `--check-config` reads them and says what is wrong, all at once.
 */
export async function runService<T extends ConfigSpec>(service: ServiceDefinition<T>): Promise<void> {
  const args = readArgs();
  if (args === undefined) return exit(EXIT_USAGE, `${service.name}: only --help and --check-config are known\n`);
  if (args.help) return exit(EXIT_OK, help(service.name, { ...service.config, ...PROCESS_CONFIG }));
  const source = { env: process.env, readFile: (path: string) => readFileSync(path, 'utf8') };
  const own = loadConfig(service.config, source, service.configFaults);
  const common = loadConfig(PROCESS_CONFIG, source);
  if (!own.ok || !common.ok) {
    const faults = [...(own.ok ? [] : own.faults), ...(common.ok ? [] : common.faults)];
    return exit(
      EXIT_USAGE,
      `${service.name}: the configuration is not valid\n${faults.map((f) => `  ${f}\n`).join('')}`,
    );
  }
  if (args['check-config']) return exit(EXIT_OK, `${service.name}: the configuration is valid\n`);
  process.exitCode = await serve(service, own.config, common.config);
  process.exit();
}

function readArgs(): { help?: boolean; 'check-config'?: boolean } | undefined {
  try {
    return parseArgs({ options: { help: { type: 'boolean' }, 'check-config': { type: 'boolean' } } }).values;
  } catch {
    return undefined;
  }
}

function help(name: string, spec: ConfigSpec): string {
  const rows = describeConfig(spec).map((row) => `  ${row.env.padEnd(34)} ${row.help} (${row.default})\n`);
  return `weir ${name} ${VERSION}\n\nOptions: --check-config  --help\n\nEnvironment:\n${rows.join('')}`;
}

function exit(status: number, text: string): void {
  (status === EXIT_OK ? process.stdout : process.stderr).write(text);
  process.exitCode = status;
}

async function serve<T extends ConfigSpec>(
  service: ServiceDefinition<T>,
  config: ConfigOf<T>,
  common: ConfigOf<typeof PROCESS_CONFIG>,
): Promise<number> {
  relaxExternalMemory();
  const instance = randomBytes(8).toString('hex');
  const logger = createLogger({ service: service.name, version: VERSION, instance, level: common.logLevel });
  const ended = Promise.withResolvers<number>();
  const starting = new AbortController();
  const fatal = (error: unknown): void => {
    logger.fatal({ err: error }, 'the service ends');
    starting.abort(error);
    ended.resolve(EXIT_FAILED);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      logger.info({ signal }, 'stopping');
      starting.abort(new Error(`stopped by ${signal}`));
      ended.resolve(EXIT_OK);
    });
  }
  if (common.faultPointsFile !== undefined) {
    logger.warn('started for fault tests: SIGUSR2 kills this process at the step that a file names');
    listenForFaults(common.faultPointsFile);
  }
  process.on('uncaughtException', fatal);
  process.on('unhandledRejection', fatal);
  const registry = new Registry();
  measureProcess(registry);
  const context = { clock: systemClock, logger, registry, version: VERSION, instance, fatal };
  let app: Component;
  try {
    app = service.createApp(config, context);
  } catch (error) {
    fatal(error);
    return EXIT_FAILED;
  }
  app.start(starting.signal).then(
    () => logger.info('serving'),
    (error) => (starting.signal.aborted ? undefined : fatal(error)),
  );
  const status = await ended.promise;
  const stopped = app.stop(AbortSignal.timeout(common.stopDeadlineMs)).then(
    () => true,
    (error) => {
      logger.error({ err: error }, 'a part did not stop');
      return false;
    },
  );
  const late = systemClock.sleep(common.stopDeadlineMs + 1_000).then(() => false);
  const clean = await Promise.race([stopped, late]);
  logger.info({ clean }, 'stopped');
  return clean ? status : EXIT_FAILED;
}
