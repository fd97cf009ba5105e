import { runService } from '@weir/process';
import { createApp } from './app.ts';
import { EDGE_CONFIG } from './config.ts';

await runService({ name: 'edge', config: EDGE_CONFIG, createApp });
