import { runService } from '@weir/process';
import { createApp } from './app.ts';
import { SINK_CONFIG, sinkConfigFaults } from './config.ts';

await runService({ name: 'sink', config: SINK_CONFIG, configFaults: sinkConfigFaults, createApp });
