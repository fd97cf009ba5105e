import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestStack } from '@weir/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { faultsOf, runSoak } from '../src/index.ts';

let dataDir: string;
let stack: TestStack;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'weir-soak-'));
  stack = await TestStack.start(dataDir);
});

afterAll(async () => {
  await stack?.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

/** Seconds of clients, and the last of their slow bodies that the edge has to end. */
const TEST_MS = 240_000;

// A short one; 20 minutes are run by hand (npm run soak).
test(
  'honest clients see no error beside hostile ones, and nothing of theirs is lost',
  async () => {
    const result = await runSoak(stack, { rounds: 2, roundS: 8, rate: 500 }, () => undefined);
    expect(faultsOf(result)).toEqual([]);
  },
  TEST_MS,
);
