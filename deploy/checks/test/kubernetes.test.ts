import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { kustomizeCommand, pythonTools, REPOSITORY, run } from '../src/tool-cache.ts';

const VERSIONS = ['1.34', '1.37'] as const;
const OVERLAYS = ['base', 'overlays/track-v2', 'overlays/production'] as const;
/** Partial documents, made whole by kustomize. */
const PATCHES = new Set(['edge-scale.yaml', 'sink-resources.yaml']);
const NOT_MANIFESTS = new Set(['kustomization.yaml', 'envoy.yaml', 'otlp.yaml']);

/** The parts of a manifest that these tests read. */
interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: { readonly template?: { readonly spec: PodSpec } };
}

interface PodSpec {
  readonly automountServiceAccountToken?: boolean;
  readonly securityContext?: { readonly runAsNonRoot?: boolean; readonly seccompProfile?: { readonly type: string } };
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly envFrom?: readonly { readonly configMapRef?: { readonly name: string } }[];
  readonly securityContext?: unknown;
  readonly resources?: { readonly limits?: { readonly memory?: string }; readonly requests?: object };
  readonly livenessProbe?: object;
  readonly readinessProbe?: object;
}

const kustomize = await kustomizeCommand();
const sources = (await readdir(join(REPOSITORY, 'k8s'), { recursive: true })).filter((path) => path.endsWith('.yaml'));
let bin = '';
let copy = '';

beforeAll(async () => {
  bin = await pythonTools('kubernetes-validate', [
    'kubernetes-validate==1.37.0',
    'PyYAML==6.0.3',
    'jsonschema==4.26.0',
  ]);
  copy = await mkdtemp(join(tmpdir(), 'weir-k8s-'));
  await cp(join(REPOSITORY, 'k8s'), copy, { recursive: true });
  const secrets = join(copy, 'overlays/production/secrets');
  await mkdir(secrets, { recursive: true });
  for (const name of ['key-pepper', 'clickhouse-password', 'tenants.yaml']) await writeFile(join(secrets, name), name);
});

afterAll(async () => {
  await rm(copy, { recursive: true, force: true });
});

async function validate(version: string, files: readonly string[]): Promise<string> {
  const ran = await run(join(bin, 'kubernetes-validate'), ['--strict', '--quiet', '-k', version, ...files]);
  return ran.status === 0 ? '' : ran.stdout + ran.stderr;
}

test.each(VERSIONS)('every manifest fits the OpenAPI models of Kubernetes %s', async (version) => {
  const manifests = sources.filter(
    (path) => !NOT_MANIFESTS.has(path.split('/').at(-1)!) && !PATCHES.has(path.split('/').at(-1)!),
  );
  expect(manifests.length).toBeGreaterThan(5);
  expect(
    await validate(
      version,
      manifests.map((path) => join(REPOSITORY, 'k8s', path)),
    ),
  ).toBe('');
});

test('a manifest with a wrong field is found', async () => {
  const file = join(copy, 'wrong.yaml');
  await writeFile(file, 'apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {portz: []}\n');
  expect(await validate('1.37', [file])).toContain('portz');
});

test('every file that a kustomization names is there', async () => {
  for (const path of sources.filter((source) => source.endsWith('kustomization.yaml'))) {
    const folder = join(REPOSITORY, 'k8s', path, '..');
    const [document] = parseAllDocuments(await readFile(join(folder, 'kustomization.yaml'), 'utf8'));
    const named = document?.toJS() as { resources?: string[]; patches?: { path: string }[] };
    for (const file of [...(named.resources ?? []), ...(named.patches ?? []).map((patch) => patch.path)]) {
      const there = await readdir(join(folder, file)).catch(() => readFile(join(folder, file)));
      expect(there.length, `${path}: ${file}`).toBeGreaterThan(0);
    }
  }
});

describe.skipIf(kustomize === undefined)('built by kustomize', () => {
  async function build(overlay: string): Promise<{ text: string; manifests: Manifest[] }> {
    const [command, ...words] = kustomize!;
    const ran = await run(command!, [...words, join(copy, overlay)]);
    expect(ran.status, ran.stderr).toBe(0);
    return { text: ran.stdout, manifests: parseAllDocuments(ran.stdout).map((d) => d.toJS() as Manifest) };
  }

  test.each(OVERLAYS)('%s is whole, valid and unambiguous', async (overlay) => {
    const built = await build(overlay);
    const file = join(copy, 'built.yaml');
    await writeFile(file, built.text);
    expect(await validate('1.37', [file])).toBe('');
    const names = built.manifests.map((m) => `${m.kind}/${m.metadata.name}`);
    expect(new Set(names).size).toBe(names.length);
    for (const manifest of built.manifests) {
      if (manifest.kind !== 'Namespace') expect(manifest.metadata.namespace, manifest.metadata.name).toBe('weir');
    }
  });

  test.each(OVERLAYS)('%s meets the restricted pod security standard and bounds memory', async (overlay) => {
    const pods = (await build(overlay)).manifests.flatMap((m) =>
      m.spec?.template === undefined ? [] : [m.spec.template.spec],
    );
    expect(pods.length).toBeGreaterThan(3);
    for (const pod of pods) {
      expect(pod.automountServiceAccountToken).toBe(false);
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
      for (const container of [...pod.containers, ...(pod.initContainers ?? [])]) {
        expect(container.securityContext, container.name).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(container.resources?.limits?.memory, container.name).toMatch(/^\d+Mi$/);
        expect(container.image).toMatch(/:[^:]+$/);
      }
    }
  });

  test('a second track has its own names, configuration and selectors', async () => {
    const { text, manifests } = await build('overlays/track-v2');
    const deployments = manifests.filter((m) => m.kind === 'Deployment').map((m) => m.metadata.name);
    expect(deployments).toEqual(expect.arrayContaining(['weir-edge', 'weir-edge-v2', 'weir-sink-v2']));
    expect(text).toContain('WEIR_TRACK: v2');
    expect(text).toContain('weir/track: v2');
  });

  test('the setup Job of each track has the configuration of that track', async () => {
    const { manifests } = await build('overlays/track-v2');
    const named = (kind: string, name: string) => manifests.find((m) => m.kind === kind && m.metadata.name === name);
    for (const [job, track] of [
      ['weir-setup', 'v1'],
      ['weir-setup-v2', 'v2'],
    ] as const) {
      const containers = named('Job', job)?.spec?.template?.spec.initContainers ?? [];
      const topics = containers.find(({ name }) => name === 'topics');
      const config = named('ConfigMap', topics?.envFrom?.[0]?.configMapRef?.name ?? '');
      expect(config?.data).toMatchObject({ WEIR_TRACK: track, WEIR_KAFKA_REPLICATION_FACTOR: '3' });
    }
  });

  test('no secret is part of what is committed', async () => {
    const { manifests } = await build('base');
    expect(manifests.filter((m) => m.kind === 'Secret')).toEqual([]);
  });
});
