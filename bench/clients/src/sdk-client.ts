import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { installOnce, mustRun, pythonTools, REPOSITORY, TOOL_CACHE } from '@weir/deploy-checks';

const PROGRAMS = join(REPOSITORY, 'bench/clients/programs');
const EXAMPLES = join(REPOSITORY, 'docs/examples');

/** A real SDK, and how its program is started. */
export interface SdkClient {
  readonly name: 'js' | 'python' | 'java' | 'go';
  readonly title: string;
  /** Which version is pinned, read where it is. */
  version(): Promise<string>;
  /** Installs what is pinned, once for each clone. @returns the command that runs it @throws where that cannot be done */
  install(): Promise<readonly string[]>;
}

/** The four. */
export const SDK_CLIENTS: readonly SdkClient[] = [
  {
    name: 'js',
    title: 'JavaScript',
    version: () => pinned('bench/clients/package.json', /exporter-trace-otlp-proto": "([^"]+)"/),
    install: async () => [process.execPath, join(PROGRAMS, 'js/send.mjs')],
  },
  {
    name: 'python',
    title: 'Python',
    version: () => pinned('docs/examples/python/requirements.txt', /otlp-proto-http==(\S+)/),
    install: async () => {
      const requirements = await readFile(join(EXAMPLES, 'python/requirements.txt'), 'utf8');
      const bin = await pythonTools('otel-python', requirements.trim().split('\n'));
      return [join(bin, 'python'), join(PROGRAMS, 'python/send.py')];
    },
  },
  {
    name: 'java',
    title: 'Java',
    version: () => pinned('docs/examples/java/pom.xml', /opentelemetry-bom<\/artifactId>\s*<version>([^<]+)</),
    install: installJava,
  },
  {
    name: 'go',
    title: 'Go',
    version: () => pinned('bench/clients/programs/go/go.mod', /otlptracehttp v(\S+)/),
    install: installGo,
  },
];

/** The jars of the example's pom.xml; the program is compiled as it is started. */
async function installJava(): Promise<readonly string[]> {
  const pom = join(EXAMPLES, 'java/pom.xml');
  await installOnce('otel-java', await readFile(pom, 'utf8'), async (directory) => {
    const copy = ['dependency:copy-dependencies', `-DoutputDirectory=${directory}`, '-DincludeScope=runtime'];
    await mustRun('mvn', ['--batch-mode', '--quiet', '--strict-checksums', '--file', pom, ...copy]);
    if (!existsSync(directory)) throw new Error('Maven copied no SDK');
  });
  return ['java', '-cp', `${join(TOOL_CACHE, 'otel-java')}/*`, join(PROGRAMS, 'java/Send.java')];
}

/** Built by the machine's own Go: modules are what go.sum says, and no other toolchain is loaded. */
async function installGo(): Promise<readonly string[]> {
  const folder = join(PROGRAMS, 'go');
  const sources = await Promise.all(
    ['go.mod', 'go.sum', 'main.go'].map((file) => readFile(join(folder, file), 'utf8')),
  );
  await installOnce('otel-go', sources.join('\n'), async (directory) => {
    await mkdir(directory, { recursive: true });
    await mustRun('go', ['-C', folder, 'build', '-mod=readonly', '-o', join(directory, 'send'), '.']);
  });
  return [join(TOOL_CACHE, 'otel-go/send')];
}

async function pinned(path: string, pattern: RegExp): Promise<string> {
  const found = pattern.exec(await readFile(join(REPOSITORY, path), 'utf8'))?.[1];
  if (found === undefined) throw new Error(`${path} pins no version`);
  return found;
}
