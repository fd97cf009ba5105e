import { readFileSync } from 'node:fs';
import { loadConfig } from '@weir/process';
import { PREPARE_CONFIG } from './config.ts';
import { prepare } from './prepare.ts';

const loaded = loadConfig(PREPARE_CONFIG, { env: process.env, readFile: (path) => readFileSync(path, 'utf8') });
if (loaded.ok) {
  const prepared = await prepare(loaded.config, new Date());
  if (prepared.ok) process.stdout.write(`prepare: made ${prepared.made.join(' and ') || 'nothing, all is there'}\n`);
  else process.stderr.write(`prepare: ${prepared.fault}\n`);
  process.exitCode = prepared.ok ? 0 : 1;
} else {
  process.stderr.write(
    `prepare: the configuration is not valid\n${loaded.faults.map((fault) => `  ${fault}\n`).join('')}`,
  );
  process.exitCode = 2;
}
