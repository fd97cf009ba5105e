import { runService } from '@weir/process';
import { createApp } from './app.ts';
import { SINK_CONFIG } from './config.ts';

await runService({ name: 'sink', config: SINK_CONFIG, createApp });
