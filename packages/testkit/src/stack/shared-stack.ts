import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import type { TestProject } from 'vitest/node';
import { caseTenant, TestStack } from './test-stack.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    weirDataDir: string;
  }
}

/** The stack that all end-to-end tests of a run share: both tracks, behind Envoy. */
export class SharedStack extends TestStack {
  /** A tenant that no other test of the run has, whichever files ran before. @throws when all have been given out */
  freshTenant(): string {
    // Where tests are only listed, as the page of conformance does, there is no stack, and nobody uses the tenant.
    if (!this.dataDir) return caseTenant(0);
    // Files run one after another, each in a process of its own.
    const file = join(this.dataDir, 'tenants-given-out');
    const number = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
    writeFileSync(file, String(number + 1));
    return caseTenant(number);
  }
}

export function sharedStack(): SharedStack {
  return new SharedStack(inject('weirDataDir'));
}

/** Global set-up of the end-to-end project: starts the shared stack, and stops it when all tests have run. */
export async function setUpSharedStack(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = mkdtempSync(join(tmpdir(), 'weir-e2e-'));
  const stack = await TestStack.start(dataDir, { tracks: ['v1', 'v2'] });
  project.provide('weirDataDir', dataDir);
  return async () => {
    await stack.stop();
    rmSync(dataDir, { recursive: true, force: true });
  };
}
