import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { REPOSITORY } from './tool-cache.ts';

const K8S = join(REPOSITORY, 'k8s');

/** The parts of the manifests that these tests read. */
interface Kustomization {
  readonly configMapGenerator?: readonly { readonly name: string; readonly literals?: readonly string[] }[];
}

interface Manifest {
  readonly kind: string;
  readonly spec: {
    readonly maxReplicas?: number;
    readonly scaleTargetRef?: { readonly name: string };
    readonly template?: { readonly spec: { readonly initContainers: readonly Container[] } };
  };
}

interface Container {
  readonly name: string;
  readonly args: readonly string[];
  readonly envFrom: readonly { readonly configMapRef: { readonly name: string } }[];
}

const manifests = async (path: string): Promise<Manifest[]> =>
  parseAllDocuments(await readFile(join(K8S, path), 'utf8')).map((document) => document.toJS() as Manifest);

const pairs = (lines: readonly string[]) => lines.map((line) => line.split('=', 2) as [string, string]);

/** What the services and the setup Job of each folder that generates `weir-config` get, over what `base/track` gives. */
async function environments(): Promise<[folder: string, Map<string, string>][]> {
  const paths = (await readdir(K8S, { recursive: true })).filter((path) => path.endsWith('kustomization.yaml'));
  const base = await readFile(join(K8S, 'base/track/weir.env'), 'utf8');
  const given = pairs(base.split('\n').filter((line) => line !== '' && !line.startsWith('#')));
  const found: [string, Map<string, string>][] = [];
  for (const path of paths) {
    const { configMapGenerator } = parse(await readFile(join(K8S, path), 'utf8')) as Kustomization;
    const generators = configMapGenerator?.filter(({ name }) => name === 'weir-config') ?? [];
    if (generators.length === 0) continue;
    found.push([path, new Map([...given, ...pairs(generators.flatMap(({ literals }) => literals ?? []))])]);
  }
  return found;
}

describe('the setup Job', async () => {
  const [job] = await manifests('base/setup/setup-job.yaml');
  const topics = job!.spec.template!.spec.initContainers.find(({ name }) => name === 'topics')!;

  test('takes tracks, partitions and copies from the configuration of its overlay', () => {
    expect(topics.args).toEqual(['topics', 'apply']);
    expect(topics.envFrom).toEqual([{ configMapRef: { name: 'weir-config' } }]);
  });

  test('makes topics of the track that the services of its overlay use', async () => {
    const tracks = (await environments()).map(([path, env]) => [path, env.get('WEIR_TRACK')]);
    expect(tracks.toSorted()).toEqual([
      ['base/track/kustomization.yaml', 'v1'],
      ['overlays/track-v2/track/kustomization.yaml', 'v2'],
    ]);
  });

  test('has each partition on three brokers, so that one of them may be lost', async () => {
    for (const [path, env] of await environments()) {
      expect(Number(env.get('WEIR_KAFKA_REPLICATION_FACTOR')), path).toBe(3);
    }
  });

  test('makes a partition for each normalizer and sink that the autoscaler may start', async () => {
    const scaled = await Promise.all(['normalizer', 'sink'].map((name) => manifests(`base/track/${name}.yaml`)));
    const most = Math.max(...scaled.flat().map(({ spec }) => spec.maxReplicas ?? 0));
    expect(most).toBeGreaterThan(0);
    for (const [path, env] of await environments()) {
      expect(Number(env.get('WEIR_KAFKA_PARTITIONS')), path).toBeGreaterThanOrEqual(most);
    }
  });
});
