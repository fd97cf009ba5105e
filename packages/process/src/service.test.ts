import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';

const INDEX = pathToFileURL(join(import.meta.dirname, 'index.ts'));

/** Runs a service whose `createApp` is the given code; what it printed, and its status. */
function run(createApp: string): Promise<{ readonly status: unknown; readonly output: string }> {
  const program = `import { runService } from '${INDEX}';
await runService({ name: 'tried', config: {}, createApp: (config, { registry }) => { ${createApp} } });`;
  return new Promise((resolve) => {
    execFile(process.execPath, ['--input-type=module', '-e', program], (error, stdout, stderr) =>
      resolve({ status: error?.code ?? 0, output: stdout + stderr }),
    );
  });
}

test('a service whose parts cannot be made ends with status 1, and says why', async () => {
  const { status, output } = await run("throw new Error('no such part')");
  expect(status).toBe(1);
  expect(output).toContain('no such part');
});

test('every service tells of its process what dashboards read: CPU, memory and the delay of the event loop', async () => {
  const { output } =
    await run(`const start = async () => { console.log(await registry.metrics()); process.kill(process.pid, 'SIGTERM'); };
return { name: 'app', start, stop: async () => {} };`);
  const names = ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'nodejs_eventloop_lag_p99_seconds'];
  for (const name of names) expect(output).toMatch(new RegExp(`^${name} [0-9.e+-]+$`, 'm'));
});
