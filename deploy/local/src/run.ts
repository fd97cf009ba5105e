import { spawn } from 'node:child_process';

const OUTPUT_MAX = 4_000;

/** A command that ended badly; the message holds the end of what it printed. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
}

/**
 * Runs a command to its end and returns what it printed on standard output.
 *
 * @param told what it printed on standard error, where it ended well
 * @throws CommandFailed when it cannot be started or exits with another status than 0
 */
export function run(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
  told: (text: string) => void = () => undefined,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out = (out + text).slice(-1_000_000);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-OUTPUT_MAX);
    });
    child.on('error', (error) => reject(new CommandFailed(`${command} cannot be started: ${error.message}`)));
    child.on('close', (code) => {
      if (code === 0) {
        told(errors);
        resolve(out);
      } else reject(new CommandFailed(`${command} ended with status ${code}:\n${(errors || out).slice(-OUTPUT_MAX)}`));
    });
  });
}
