import { spawn } from 'node:child_process';

/** What an exporter told its SDK. */
export type Told = 'success' | 'failure';

/** One line on a program's standard input. */
export interface CaseLine {
  /** Of the span. */
  readonly name: string;
  readonly protocol: string;
  readonly endpoint: string;
  readonly paddingBytes: number;
  readonly key: string;
}

/** The most patient SDK gives up after its processor's 30 s. */
const RUN_TIMEOUT_MS = 150_000;
const STDERR_CHARS_MAX = 4_000;

/**
 * Runs a client's program, which sends one span for each line. `onReady` is called when it has started, before it is given
 * the lines.
 * @returns what its exporters told, by name of span @throws with what it printed where it fails or leaves one out
 */
export async function runProgram(
  command: readonly string[],
  lines: readonly CaseLine[],
  ca: string,
  onReady: () => Promise<void> = async () => undefined,
): Promise<ReadonlyMap<string, Told>> {
  const env = {
    PATH: process.env.PATH ?? '',
    OTEL_EXPORTER_OTLP_CERTIFICATE: ca,
    OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
  };
  const child = spawn(command[0]!, command.slice(1), { env, stdio: 'pipe', timeout: RUN_TIMEOUT_MS });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_CHARS_MAX);
  });
  child.stdin.on('error', () => undefined);
  const input = lines.map(({ name, protocol, endpoint, paddingBytes, key }) => [
    name,
    protocol,
    endpoint,
    paddingBytes,
    key,
  ]);
  child.stdout.once('data', () => {
    onReady().then(
      () => child.stdin.end(input.map((words) => `${words.join('\t')}\n`).join('')),
      () => child.kill(),
    );
  });
  const status = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  const told = new Map<string, Told>();
  for (const line of stdout.split('\n')) {
    const [name = '', result] = line.split('\t');
    if (result === 'success' || result === 'failure') told.set(name, result);
  }
  if (status === 0 && lines.every(({ name }) => told.has(name))) return told;
  throw new Error(`${command.join(' ')} ended with ${status} after ${told.size} of ${lines.length} cases:\n${stderr}`);
}
