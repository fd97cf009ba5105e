import type { Target } from './target.ts';
import { INFLATE } from './targets/inflate.ts';
import { JSON_READER } from './targets/json.ts';
import { SCAN } from './targets/scan.ts';
import { SPLIT } from './targets/split.ts';
import { TRANSCODE } from './targets/transcode.ts';

export const TARGETS: readonly Target[] = [SCAN, TRANSCODE, JSON_READER, SPLIT, INFLATE];
