import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, systemClock } from '@weir/pipeline';
import { ensureCertificates } from './certificates.ts';
import { installEnvoy, renderEnvoy } from './envoy.ts';
import { writeRoutes } from './envoy-routes.ts';
import { installKafka, isFormatted, prepareKafka } from './kafka.ts';
import { clientSecurity, ensureKafkaSecurity, type KafkaSecurity, wantsKafkaSecurity } from './kafka-security.ts';
import { describeStack, type LocalFile, writeLocalFile } from './local-file.ts';
import type { StartOptions } from './options.ts';
import { removeRun, writeRun } from './ownership.ts';
import { ROOT, type StackPaths } from './paths.ts';
import { brokerCount, derivePorts, type Ports } from './ports.ts';
import { partitionsFor } from './process-counts.ts';
import { ManagedProcess, type ProcessSpec } from './processes.ts';
import { run } from './run.ts';
import { fillSourceCache } from './source-cache.ts';
import { commonEnv, envoySpec, type StackParts, serviceSpecs, storeSpecs } from './specs.ts';
import { ensureTenants, type LocalKeys } from './tenants.ts';

const READY_MS = 90_000;
const HOUSEKEEPING_MS = 60_000;

/** Where progress is told, a line at a time. */
export type Say = (line: string) => void;

/** A running stack on this machine. */
export class Stack {
  readonly #options: StartOptions;
  readonly #paths: StackPaths;
  readonly #say: Say;
  readonly #clock: Clock = systemClock;
  /** In the order in which what they take from must be there: they are stopped the other way round. */
  readonly #groups: ManagedProcess[][] = [];
  readonly #pids = new Map<string, number>();
  #housekeeping: NodeJS.Timeout | undefined;
  #keys: LocalKeys = {};
  #ca = '';
  #security: KafkaSecurity | undefined;
  #envoy: { readonly routes: string; readonly binary: string } | undefined;
  #up = false;
  #failed: (error: Error) => void = () => undefined;
  /** Rejects when a process cannot be kept running. */
  readonly failure: Promise<never>;

  constructor(options: StartOptions, paths: StackPaths, say: Say) {
    this.#options = options;
    this.#paths = paths;
    this.#say = say;
    this.failure = new Promise((_, reject) => {
      this.#failed = reject;
    });
    this.failure.catch(() => undefined);
  }

  /** Brings everything up and returns what DIR/local.json says. */
  async start(signal: AbortSignal): Promise<LocalFile> {
    const parts = await this.#prepare();
    writeRun(this.#paths, this.#pids);
    this.#housekeeping = setInterval(() => {
      for (const managed of this.#groups.flat()) managed.boundLog();
    }, HOUSEKEEPING_MS);
    const services = this.#options.services ? serviceSpecs(parts) : [];
    const filled = services.length > 0 ? fillSourceCache({ ...process.env, ...commonEnv(parts) }) : undefined;
    await this.#bringUp(storeSpecs(parts), signal);
    await filled;
    await this.#setUp(parts);
    await Promise.all(services.map((group) => this.#bringUp(group, signal)));
    if (parts.envoyBinary !== undefined) await this.#bringUp([envoySpec(parts, parts.envoyBinary)], signal);
    this.#up = true;
    return this.#writeFiles();
  }

  /** Drains and stops everything, upstream first. Safe at any time. */
  async stop(): Promise<void> {
    clearInterval(this.#housekeeping);
    for (const group of this.#groups.toReversed()) {
      this.#say(`stopping ${group.map((managed) => managed.spec.name).join(', ')}`);
      await Promise.all(group.map((managed) => managed.stop()));
    }
    removeRun(this.#paths);
  }

  async #prepare(): Promise<StackParts> {
    const paths = this.#paths;
    for (const dir of [paths.dataDir, paths.logs, paths.run]) mkdirSync(dir, { recursive: true, mode: 0o700 });
    const ports = this.#ports();
    const certificates = await ensureCertificates(paths.tls, new Date());
    this.#ca = certificates.ca;
    this.#keys = ensureTenants(paths);
    const [kafkaLibs, envoyBinary] = await Promise.all([
      this.#step('Kafka installed', installKafka()),
      this.#options.envoy ? this.#step('Envoy installed', installEnvoy()) : undefined,
    ]);
    if (wantsKafkaSecurity(process.env)) {
      this.#security = ensureKafkaSecurity(paths, certificates, isFormatted(paths, 0));
    }
    await prepareKafka(kafkaLibs, paths, ports, this.#security);
    const parts: StackParts = { paths, ports, certificates, kafkaLibs, kafkaSecurity: this.#security, envoyBinary };
    if (envoyBinary !== undefined) {
      this.#envoy = { routes: paths.envoyRoutes, binary: envoyBinary };
      writeRoutes(paths.envoyRoutes, ports);
      writeFileSync(paths.envoyConfig, renderEnvoy(ports, certificates, paths.envoyRoutes), { mode: 0o600 });
    }
    return parts;
  }

  async #bringUp(specs: readonly ProcessSpec[], signal: AbortSignal): Promise<void> {
    // Set for fault tests, which kill the same process again and again.
    const steady = process.env.WEIR_LOCAL_STEADY_MS;
    const steadyMs = steady === undefined ? undefined : Number(steady);
    const group = specs.map((spec) => new ManagedProcess(spec, this.#events(), this.#clock, steadyMs));
    this.#groups.push(group);
    await Promise.all(
      group.map((managed) => this.#step(`${managed.spec.name} is ready`, managed.start(READY_MS, signal))),
    );
  }

  #events() {
    return {
      started: (name: string, pid: number) => {
        this.#pids.set(name, pid);
        if (this.#up) this.#writeFiles();
        else writeRun(this.#paths, this.#pids);
      },
      died: (name: string, how: string, again: number) => {
        const log = join(this.#paths.logs, `${name}.log`);
        this.#say(
          `${name} died (${how}); starting it again${again > 1 ? `, ${again} times in a row` : ''}; its log: ${log}`,
        );
      },
      gaveUp: (name: string) => this.#failed(new Error(`${name} dies again and again`)),
    };
  }

  /** Topics, tables and tenants, by the command that operators use. */
  async #setUp(parts: StackParts): Promise<void> {
    const partitions = process.env.WEIR_KAFKA_PARTITIONS || String(partitionsFor(this.#options.counts));
    const env = { ...process.env, ...commonEnv(parts), WEIR_KAFKA_PARTITIONS: partitions };
    const tell = (text: string) => {
      for (const line of text.split('\n').filter((part) => part !== '')) this.#say(line);
    };
    const ingestctl = (...args: string[]) =>
      run(process.execPath, [join(ROOT, 'packages/ingestctl/src/main.ts'), ...args], env, tell);
    const tracks = this.#options.tracks.join(',');
    // Nothing runs that appends: after a power failure the one broker may have lost the end of a log.
    const topics = ingestctl('topics', 'apply', '--tracks', tracks, '--recover');
    await Promise.all([
      this.#step('topics are in place', topics),
      this.#step('tables are in place', ingestctl('schema', 'apply')),
      this.#step(
        'tenants are in place',
        topics.then(() => ingestctl('tenants', 'apply', '-f', parts.paths.tenants)),
      ),
    ]);
  }

  #ports(): Ports {
    const { portBase, tracks, counts } = this.#options;
    return derivePorts(portBase, tracks, brokerCount(process.env), counts);
  }

  async #step<T>(done: string, work: Promise<T>): Promise<T> {
    const startedMs = this.#clock.nowMs();
    const result = await work;
    this.#say(`${done} (${((this.#clock.nowMs() - startedMs) / 1_000).toFixed(1)} s)`);
    return result;
  }

  #writeFiles(): LocalFile {
    const ports = this.#ports();
    const kafka = this.#security && clientSecurity(this.#security);
    const stack = { ca: this.#ca, keys: this.#keys, envoy: this.#envoy, kafka };
    const content = describeStack(ports, stack, this.#pids);
    writeLocalFile(this.#paths.localFile, content);
    writeRun(this.#paths, this.#pids);
    return content;
  }
}
