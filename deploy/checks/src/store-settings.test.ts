import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CLICKHOUSE_CONFIG, type ConfigSpec, KAFKA_CONFIG, settingsOf } from '@weir/process';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { REPOSITORY } from './tool-cache.ts';

/** Who needs what: the services, and what makes topics, tables and tenants. */
const KAFKA = ['edge', 'normalizer', 'sink', 'setup'];
const CLICKHOUSE = ['sink', 'setup'];

/** Variables of a group; a secret comes from a file, or as it is. */
const variables = (spec: ConfigSpec) =>
  settingsOf(spec).map(({ env, secret }) => (secret ? [env, `${env}_FILE`] : [env]));

describe('docker-compose.yml', async () => {
  const text = await readFile(join(REPOSITORY, 'docker-compose.yml'), 'utf8');
  const { services } = parse(text, { merge: true }) as {
    services: Record<string, { environment: Record<string, string>; volumes: string[] }>;
  };

  test.each([
    ...KAFKA.map((service) => [service, KAFKA_CONFIG] as const),
    ...CLICKHOUSE.map((service) => [service, CLICKHOUSE_CONFIG] as const),
  ])('%s gets every setting of its stores', (service, spec) => {
    const { environment, volumes } = services[service]!;
    const missing = variables(spec).filter((names) => !names.some((name) => name in environment));
    expect(missing).toEqual([]);
    expect(volumes).toContain('./deploy/docker/secrets:/secrets:ro');
  });
});

interface Pod {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes: readonly { readonly name: string; readonly secret?: object }[];
}

interface Container {
  readonly name: string;
  readonly envFrom?: readonly { readonly configMapRef?: { readonly name: string } }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

async function podOf(path: string): Promise<Pod> {
  const documents = parseAllDocuments(await readFile(join(REPOSITORY, 'k8s/base', path), 'utf8'));
  const found = documents.map((document) => document.toJS() as { spec?: { template?: { spec: Pod } } });
  return found.find(({ spec }) => spec?.template !== undefined)!.spec!.template!.spec;
}

describe('k8s/base', async () => {
  const env = await readFile(join(REPOSITORY, 'k8s/base/track/weir.env'), 'utf8');
  const lines = env.split('\n').flatMap((line) => /^#?(WEIR_\w+)=(.*)$/.exec(line)?.slice(1, 3) ?? []);
  const said = new Map(Array.from({ length: lines.length / 2 }, (_, at) => [lines[2 * at]!, lines[2 * at + 1]!]));

  test('weir.env names every setting of TLS and SASL that a cluster may need', () => {
    const known = new Set([...variables(KAFKA_CONFIG), ...variables(CLICKHOUSE_CONFIG)].flat());
    const stores = [...said.keys()].filter((name) => /^WEIR_(KAFKA_(TLS|SASL)|CLICKHOUSE_TLS)/.test(name));
    expect(stores.filter((name) => !known.has(name))).toEqual([]);
    expect(stores).toEqual(expect.arrayContaining(['WEIR_KAFKA_TLS', 'WEIR_KAFKA_SASL_PASSWORD_FILE']));
  });

  const pods = await Promise.all(
    ['track/edge.yaml', 'track/normalizer.yaml', 'track/sink.yaml', 'setup/setup-job.yaml'].map(podOf),
  );
  const containers = pods.flatMap(({ containers, initContainers = [], volumes }) =>
    [...initContainers, ...containers].map((container) => ({ container, volumes })),
  );

  test.each(containers.map(({ container, volumes }) => [container.name, container, volumes] as const))(
    '%s has the Secrets that weir.env names files of, where they are there',
    (name, { volumeMounts = [] }, volumes) => {
      const needs = [
        ...(name === 'schema' ? [] : ['/etc/weir/kafka']),
        ...(name === 'schema' || name === 'sink' ? ['/etc/weir/clickhouse'] : []),
      ];
      for (const path of needs) {
        const mount = volumeMounts.find(({ mountPath }) => mountPath === path);
        const volume = volumes.find((one) => one.name === mount?.name);
        expect([path, volume?.secret]).toEqual([path, expect.objectContaining({ optional: true })]);
      }
    },
  );

  test('every file that weir.env names is of one of these Secrets', () => {
    const files = [...said].filter(([name]) => name.endsWith('_FILE')).map(([, path]) => path);
    expect(files.length).toBeGreaterThan(5);
    expect(files.filter((path) => !/^\/etc\/weir\/(kafka|clickhouse)\/[\w.]+$/.test(path))).toEqual([]);
  });
});
