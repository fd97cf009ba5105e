import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureTenants, stackPaths } from '@weir/local';
import { pause, TestStack } from '@weir/testkit';

/** The tenants of the incident; they differ in how many partitions they reach, and in how long they are kept. */
export const TENANTS = ['acme', 'birch', 'cedar'] as const;
const LIMITS = { acme: { partitions: 4 }, birch: {}, cedar: { retentionDays: 7 } };

const POLL_MS = 100;
const BACK_MS = 60_000;

/** A stack with two tracks, in whose track v1 a release of the normalizer can be rolled out that has a bug. */
export class IncidentStack {
  readonly stack: TestStack;
  readonly scratch: string;
  readonly #bug: string;

  private constructor(stack: TestStack, scratch: string, bug: string) {
    this.stack = stack;
    this.scratch = scratch;
    this.#bug = bug;
  }

  static async start(): Promise<IncidentStack> {
    const scratch = mkdtempSync(join(tmpdir(), 'weir-incident-'));
    const dataDir = join(scratch, 'data');
    const bug = join(scratch, 'bug');
    const paths = stackPaths(dataDir);
    mkdirSync(paths.dataDir, { recursive: true, mode: 0o700 });
    ensureTenants(paths, LIMITS);
    const hook = pathToFileURL(join(import.meta.dirname, 'buggy-release.ts'));
    const env = { NODE_OPTIONS: `--import=${hook}`, WEIR_INCIDENT_BUG: bug };
    try {
      const stack = await TestStack.start(dataDir, { tracks: ['v1', 'v2'], env });
      return new IncidentStack(stack, scratch, bug);
    } catch (error) {
      rmSync(scratch, { recursive: true, force: true });
      throw error;
    }
  }

  /** Rolls a release of the normalizer out to track v1, as an orchestrator does: the old process is ended, a new one starts. */
  async release(version: 'with the bug' | 'mended'): Promise<void> {
    if (version === 'mended') rmSync(this.#bug, { force: true });
    else writeFileSync(this.#bug, '');
    const before = this.stack.pid('normalizer');
    this.stack.signal('normalizer', 'SIGTERM');
    const deadline = Date.now() + BACK_MS;
    while (this.stack.pid('normalizer') === before || !(await this.stack.ready('normalizer'))) {
      if (Date.now() > deadline) throw new Error(`the normalizer did not come back: ${this.stack.log('normalizer')}`);
      await pause(POLL_MS);
    }
  }

  get hasBug(): boolean {
    return existsSync(this.#bug);
  }

  async stop(): Promise<void> {
    try {
      await this.stack.stop();
    } finally {
      rmSync(this.scratch, { recursive: true, force: true });
    }
  }
}
