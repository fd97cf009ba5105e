import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { installOnce, pythonTools, run, TOOL_CACHE } from '@weir/deploy-checks';
import { ROOT } from '@weir/local';

export const COLLECTOR_PROGRAMS = join(ROOT, 'bench/peers/programs/collector');
export const COLLECTOR_VERSION = '0.155.0';
export const ROTEL_VERSION = '0.0.1a15';

const BUILD_MS = 30 * 60_000;
const COLLECTOR = 'peer-collector';

/**
 * Builds the Collector out of builder.yaml by its own builder, from the Go module proxy, once for each clone: about 2 minutes.
 * Needs Go; how many cores the build takes is GOMAXPROCS's matter.
 * @returns its binary @throws with what the build said
 */
export async function installCollector(): Promise<string> {
  const config = await readFile(join(COLLECTOR_PROGRAMS, 'builder.yaml'), 'utf8');
  await installOnce(COLLECTOR, `${COLLECTOR_VERSION}\n${config}`, async (directory) => {
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, 'builder.yaml'), config);
    const env = { ...process.env, GOBIN: directory } as Record<string, string>;
    await mustBuild(
      'go',
      ['install', `go.opentelemetry.io/collector/cmd/builder@v${COLLECTOR_VERSION}`],
      directory,
      env,
    );
    const args = ['--config', 'builder.yaml', '--skip-strict-versioning'];
    await mustBuild(join(directory, 'builder'), args, directory, env);
  });
  return join(TOOL_CACHE, COLLECTOR, 'otelcol/otelcol-peer');
}

async function mustBuild(
  command: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const ran = await run(command, args, { cwd, env, timeoutMs: BUILD_MS }).catch((error: unknown) => {
    throw new Error(`${command} cannot be started (the Collector is built with Go 1.25 or newer)`, { cause: error });
  });
  if (ran.status !== 0)
    throw new Error(`${command} ${args.join(' ')} failed:\n${(ran.stdout + ran.stderr).slice(-4_000)}`);
}

/** Takes Rotel out of its wheel, once for each clone. @returns its binary */
export async function installRotel(): Promise<string> {
  const bin = await pythonTools('peer-rotel', [`rotel==${ROTEL_VERSION}`]);
  const where = await run(join(bin, 'python'), ['-c', 'import rotel; print(rotel.__path__[0])']);
  if (where.status !== 0) throw new Error(`Rotel is not in its wheel:\n${where.stderr}`);
  return join(where.stdout.trim(), 'rotel-agent');
}
