import { runService } from '@weir/process';
import { createApp } from './app.ts';
import { EDGE_CONFIG, edgeConfigFaults } from './config.ts';

await runService({ name: 'edge', config: EDGE_CONFIG, configFaults: edgeConfigFaults, createApp });
