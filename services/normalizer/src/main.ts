import { runService } from '@weir/process';
import { createApp } from './app.ts';
import { NORMALIZER_CONFIG, normalizerConfigFaults } from './config.ts';

await runService({ name: 'normalizer', config: NORMALIZER_CONFIG, configFaults: normalizerConfigFaults, createApp });
