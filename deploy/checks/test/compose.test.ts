import { cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DCLinter } from 'dclint';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readStages } from '../src/dockerfile.ts';
import { REPOSITORY, run } from '../src/tool-cache.ts';

/** What the linter says of a file; its own types cannot be loaded. */
interface LintResult {
  readonly messages: readonly { readonly line: number; readonly message: string }[];
}

/** The parts of a compose service that these tests read. */
interface Service {
  readonly image: string;
  readonly build?: { readonly target: string };
  readonly restart: string;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: object;
  readonly deploy?: { readonly resources?: { readonly limits?: { readonly memory?: string } } };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}

const FILE = join(REPOSITORY, 'docker-compose.yml');
const text = await readFile(FILE, 'utf8');
const compose = parse(text, { merge: true }) as { services: Record<string, Service>; volumes: object };
const services = Object.entries(compose.services);
let scratch = '';

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'weir-compose-'));
});

afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});

/** dclint holds the schema of the Compose Specification. What is off is taste, or tested below in our own way. */
const linter = new DCLinter({
  quiet: false,
  debug: false,
  exclude: [],
  rules: {
    'no-build-and-image': 0,
    'no-unbound-port-interfaces': 0,
    'require-quotes-in-ports': 0,
    'service-dependencies-alphabetical-order': 0,
    'service-keys-order': 0,
    'services-alphabetical-order': 0,
    'top-level-properties-order': 0,
  },
});

function lint(path: string): string[] {
  const results: LintResult[] = linter.lintFiles([path], false);
  return results.flatMap((result) => result.messages.map((m) => `${m.line}: ${m.message}`));
}

test('docker-compose.yml fits the Compose Specification', () => {
  expect(lint(FILE)).toEqual([]);
});

test('a field that the specification does not have is found', async () => {
  const wrong = join(scratch, 'docker-compose.yml');
  await writeFile(wrong, text.replace('stop_grace_period: 30s', 'stop_grace_perriod: 30s'));
  expect(lint(wrong).join('\n')).toContain('must NOT have additional properties');
});

test.each(services)('%s has a pinned image, a memory limit and a health check or an end', (_name, service) => {
  expect(service.image).toMatch(/:v?\d+\.\d+/);
  expect(service.deploy?.resources?.limits?.memory).toMatch(/^\d+(M|G)$/);
  if (service.restart !== 'no') expect(service.healthcheck).toBeDefined();
});

test.each(services)('%s is waited for in the right way and listens only where it is told to', (_name, service) => {
  for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
    const ends = compose.services[other]?.restart === 'no';
    expect(condition, other).toBe(ends ? 'service_completed_successfully' : 'service_healthy');
  }
  for (const port of service.ports ?? [])
    expect(port).toMatch(/^(127\.0\.0\.1|\$\{WEIR_BIND:-127\.0\.0\.1\}):\d+:\d+$/);
});

test('build targets, files that are mounted and named volumes are all there', async () => {
  const stages = readStages(await readFile(join(REPOSITORY, 'deploy/docker/Dockerfile'), 'utf8')).map((s) => s.name);
  for (const [name, service] of services) {
    if (service.build !== undefined) expect(stages, name).toContain(service.build.target);
    for (const volume of service.volumes ?? []) {
      const source = volume.split(':')[0]!;
      // A path alone is a volume that each container has for itself.
      if (source === volume) continue;
      if (source.startsWith('.')) await stat(join(REPOSITORY, source));
      else expect(Object.keys(compose.volumes)).toContain(source);
    }
  }
});

test('what may have several containers writes no file that they share, and no port of the host', () => {
  for (const name of ['edge', 'normalizer', 'sink']) {
    const service = compose.services[name]!;
    expect(service.ports).toBeUndefined();
    const shared = (service.volumes ?? []).filter((volume) => volume.includes(':') && !volume.endsWith(':ro'));
    expect(shared, name).toEqual([]);
  }
});

test('the one broker writes each append to its disk before it answers', () => {
  const { environment } = (parse(text, { merge: true }) as { services: { kafka: { environment: object } } }).services
    .kafka;
  expect(environment).toMatchObject({ KAFKA_LOG_FLUSH_INTERVAL_MESSAGES: '1' });
});

test('no secret has a default: each is required, and make-env.sh makes it', async () => {
  const required = new Set([...text.matchAll(/\$\{([A-Z_]+):\?/g)].map((match) => match[1]!));
  const optional = [...text.matchAll(/\$\{([A-Z_]+):-/g)].map((match) => match[1]!);
  const example = readEnv(await readFile(join(REPOSITORY, '.env.example'), 'utf8'));
  expect(Object.keys(example).sort()).toEqual([...new Set([...required, ...optional])].sort());
  for (const name of required) expect(example[name], name).toBe('');

  await mkdir(join(scratch, 'deploy/docker'), { recursive: true });
  for (const path of ['deploy/docker/make-env.sh', '.env.example'])
    await cp(join(REPOSITORY, path), join(scratch, path));
  const script = join(scratch, 'deploy/docker/make-env.sh');
  expect((await run('sh', [script])).status).toBe(0);
  const made = await readFile(join(scratch, '.env'), 'utf8');
  for (const name of required) expect(readEnv(made)[name]?.length, name).toBeGreaterThanOrEqual(22);
  expect((await stat(join(scratch, '.env'))).mode & 0o077).toBe(0);
  expect((await run('sh', [script])).stderr).toContain('was not changed');
  expect(await readFile(join(scratch, '.env'), 'utf8')).toBe(made);
});

function readEnv(content: string): Record<string, string> {
  const lines = content.split('\n').filter((line) => /^[A-Z_]+=/.test(line));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}
