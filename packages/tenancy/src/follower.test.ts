import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Log, LogRecord, NewRecord } from '@weir/delivery';
import { type Component, DependencyError, systemClock } from '@weir/pipeline';
import { CONTROL_TOPICS, DEFAULTS_KEY, encodeTenantValue } from '@weir/records';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TenantDirectory } from './directory.ts';
import { followTenants } from './follower.ts';
import { createKey } from './key.ts';

/** One partition in memory; `down` makes every call fail. */
class MemoryLog implements Log {
  readonly records: LogRecord[] = [];
  down = false;
  /** Offsets that were asked for, oldest first. */
  readonly asked: number[] = [];

  /** Where reading stalls: what is behind does not come. */
  stallAt = Number.POSITIVE_INFINITY;
  /** An offset at which nothing is read, though records lie behind it: compaction took it from the end of its batch. */
  gapAt = Number.POSITIVE_INFINITY;
  /** Reads to come that bring nothing, wherever they are. */
  starved = 0;
  /** Whether the next read is refused, as of an offset that is gone. */
  rejects = false;

  async read(_topic: string, _partition: number, offset: number, _options: object, signal: AbortSignal) {
    this.asked.push(offset);
    await systemClock.sleep(1, signal);
    this.#check();
    if (this.rejects) {
      this.rejects = false;
      throw new DependencyError('kafka', 'rejected', 'out of range', { retryable: false });
    }
    if (offset >= this.stallAt) throw new DependencyError('kafka', 'timeout', 'stalls', { retryable: true });
    const endOffset = this.#end();
    if (offset === this.gapAt || this.starved-- > 0)
      return { records: [], nextOffset: offset, startOffset: 0, endOffset };
    const until = Math.min(this.stallAt, offset < this.gapAt ? this.gapAt : endOffset);
    const records = this.records.filter((record) => record.offset >= offset && record.offset < until);
    const nextOffset = Math.min(until, Math.max(offset, endOffset));
    return { records, nextOffset, startOffset: 0, endOffset };
  }

  async bounds() {
    this.#check();
    return { start: 0, end: this.#end() };
  }

  async append(_topic: string, _partition: number, records: readonly NewRecord[]): Promise<number> {
    const first = this.#end();
    for (const [index, record] of records.entries()) {
      this.records.push({ ...record, offset: first + index, timestampMs: 0 });
    }
    return first;
  }

  put(key: string, value: object | Buffer | null): void {
    const bytes = value === null || Buffer.isBuffer(value) ? value : encodeTenantValue(value);
    const offset = this.#end();
    this.records.push({ key: Buffer.from(key), value: bytes, meta: null, offset, timestampMs: 0 });
  }

  #end(): number {
    return (this.records.at(-1)?.offset ?? -1) + 1;
  }

  #check(): void {
    if (this.down) throw new DependencyError('kafka', 'unavailable', 'down', { retryable: true });
  }
}

const NEVER = new AbortController().signal;
const QUIET = { keys: [] };
let stateDir: string;
let log: MemoryLog;
let unreadable: string[];
let unsaved: unknown[];
const running: Component[] = [];

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'weir-tenants-'));
  log = new MemoryLog();
  unreadable = [];
  unsaved = [];
});

afterEach(async () => {
  for (const follower of running.splice(0)) await follower.stop(NEVER);
  await rm(stateDir, { recursive: true, force: true });
});

function follow(where = stateDir, clock = systemClock): { directory: TenantDirectory; follower: Component } {
  const directory = new TenantDirectory('');
  const events = {
    unreadable: (key: string) => unreadable.push(key),
    failed: () => undefined,
    unsaved: (error: unknown) => unsaved.push(error),
  };
  const follower = followTenants(log, directory, { stateDir: where, clock, events });
  running.push(follower);
  return { directory, follower };
}

describe('following weir.tenants', () => {
  test('starts once the topic has been read, and takes every change after that', async () => {
    log.put('acme', QUIET);
    log.put('globex', QUIET);
    const { directory, follower } = follow();
    await follower.start(NEVER);
    expect(directory.names()).toEqual(['acme', 'globex']);
    expect(directory.complete).toBe(true);
    log.put('globex', null);
    log.put(DEFAULTS_KEY, { retentionDays: 3 });
    await vi.waitFor(() => expect(directory.names()).toEqual(['acme']));
    await vi.waitFor(() => expect(directory.get('acme')?.limits.retentionDays).toBe(3));
  });

  test('passes over a record that cannot be read, and says so', async () => {
    log.put('acme', Buffer.from('no record'));
    log.put('globex', QUIET);
    const { directory, follower } = follow();
    await follower.start(NEVER);
    expect(directory.names()).toEqual(['globex']);
    expect(unreadable).toEqual(['acme']);
  });

  test('says once that its copy cannot be written, and writes it as soon as it can', async () => {
    const inTheWay = join(stateDir, 'state');
    await writeFile(inTheWay, '');
    log.put('acme', QUIET);
    const impatient = { ...systemClock, sleep: (_ms: number, signal?: AbortSignal) => systemClock.sleep(5, signal) };
    const { follower } = follow(inTheWay, impatient);
    await follower.start(NEVER);
    await vi.waitFor(() => expect(unsaved).toHaveLength(1));
    await systemClock.sleep(50);
    expect(unsaved).toHaveLength(1);
    await rm(inTheWay);
    await vi.waitFor(() => stat(join(inTheWay, 'tenants.json')));
  });

  test('ends while its copy cannot be written', async () => {
    const inTheWay = join(stateDir, 'state');
    await writeFile(inTheWay, '');
    log.put('acme', QUIET);
    const { follower } = follow(inTheWay);
    await follower.start(NEVER);
    await vi.waitFor(() => expect(unsaved).toHaveLength(1));
    await follower.stop(NEVER);
  });

  test('starts from its own copy where the topic cannot be reached, and knows that it may lack tenants', async () => {
    log.put('acme', QUIET);
    const first = follow();
    await first.follower.start(NEVER);
    await vi.waitFor(async () => expect((await stat(join(stateDir, 'tenants.json'))).mode & 0o777).toBe(0o600));
    await first.follower.stop(NEVER);
    log.down = true;
    const second = follow();
    await second.follower.start(NEVER);
    expect(second.directory.names()).toEqual(['acme']);
    expect(second.directory.complete).toBe(false);
    log.down = false;
    log.put('globex', QUIET);
    await vi.waitFor(() => expect(second.directory.names()).toEqual(['acme', 'globex']), { timeout: 5_000 });
    expect(second.directory.complete).toBe(true);
  });

  test('forgets a tenant of the copy that the topic does not have any more', async () => {
    log.put('acme', QUIET);
    log.put('gone', QUIET);
    const first = follow();
    await first.follower.start(NEVER);
    await vi.waitFor(() => stat(join(stateDir, 'tenants.json')));
    await first.follower.stop(NEVER);
    log.records.splice(1, 1);
    log.put('new', QUIET);
    const second = follow();
    await second.follower.start(NEVER);
    await vi.waitFor(() => expect(second.directory.names()).toEqual(['acme', 'new']));
  });

  test('goes on where it stood after a failure, and does not read the topic anew', async () => {
    log.put('acme', QUIET);
    log.put('acme', null);
    const { directory, follower } = follow();
    await follower.start(NEVER);
    log.asked.length = 0;
    log.down = true;
    await vi.waitFor(() => expect(log.asked.length).toBeGreaterThan(1), { timeout: 5_000 });
    log.down = false;
    log.put('globex', QUIET);
    await vi.waitFor(() => expect(directory.names()).toEqual(['globex']), { timeout: 5_000 });
    expect(Math.min(...log.asked)).toBe(2);
  });

  test('knows a tenant whose record lies behind a place where compaction has left nothing', async () => {
    for (const name of ['acme', 'gone', 'globex']) log.put(name, QUIET);
    log.records.splice(1, 1);
    log.gapAt = 1;
    const { directory, follower } = follow();
    await follower.start(NEVER);
    expect(directory.names()).toEqual(['acme', 'globex']);
  });

  test('comes past such a place in what is new as well', async () => {
    log.put('acme', QUIET);
    const { directory, follower } = follow();
    await follower.start(NEVER);
    log.gapAt = 1;
    log.put('gone', QUIET);
    log.put('globex', QUIET);
    log.records.splice(1, 1);
    await vi.waitFor(() => expect(directory.names()).toEqual(['acme', 'globex']));
  });

  test('passes over no record because a broker answered with nothing for a while', async () => {
    log.put('acme', QUIET);
    log.put('globex', QUIET);
    log.starved = 8;
    const { directory, follower } = follow();
    await follower.start(NEVER);
    expect(directory.names()).toEqual(['acme', 'globex']);
  });

  test('takes a topic that was made anew as a whole, and goes on with the old tenants until then', async () => {
    log.put('acme', QUIET);
    log.put('globex', QUIET);
    const { directory, follower } = follow();
    await follower.start(NEVER);
    const seen = new Set<string>();
    const read = log.read.bind(log);
    log.read = (...asked) => {
      seen.add(directory.names().join());
      return read(...asked);
    };
    log.rejects = true;
    log.records.splice(1, 1);
    await vi.waitFor(() => expect(directory.names()).toEqual(['acme']), { timeout: 5_000 });
    expect([...seen].filter((names) => names !== 'acme')).toEqual(['acme,globex']);
    log.put('initech', QUIET);
    await vi.waitFor(() => expect(directory.names()).toEqual(['acme', 'initech']));
  });

  test('keeps the tenants it knows while a topic that was made anew is empty', async () => {
    log.put('acme', QUIET);
    const { directory, follower } = follow();
    await follower.start(NEVER);
    log.records.splice(0);
    const bounds = vi.spyOn(log, 'bounds');
    log.rejects = true;
    await vi.waitFor(() => expect(bounds.mock.calls.length).toBeGreaterThan(1), { timeout: 5_000 });
    expect(directory.names()).toEqual(['acme']);
    log.put('globex', QUIET);
    await vi.waitFor(() => expect(directory.names()).toEqual(['globex']), { timeout: 5_000 });
  });

  test('cannot say that a key is unknown while the topic cannot be read: it may have been made meanwhile', async () => {
    const { key } = createKey();
    log.put('acme', QUIET);
    const { directory, follower } = follow();
    await follower.start(NEVER);
    expect(directory.byKey(key)).toEqual({ kind: 'unknown' });
    log.down = true;
    await vi.waitFor(() => expect(directory.byKey(key)).toEqual({ kind: 'unavailable' }), { timeout: 5_000 });
    log.down = false;
    await vi.waitFor(() => expect(directory.byKey(key)).toEqual({ kind: 'unknown' }), { timeout: 5_000 });
  });

  test('has the newest state on disk once it has stopped', async () => {
    log.put('acme', QUIET);
    const first = follow();
    await first.follower.start(NEVER);
    await first.follower.stop(NEVER);
    log.down = true;
    const second = follow();
    await second.follower.start(NEVER);
    expect(second.directory.names()).toEqual(['acme']);
  });

  test('gives up starting when it is told to, and stops twice', async () => {
    log.down = true;
    const { follower } = follow();
    const stopping = new AbortController();
    const started = follower.start(stopping.signal);
    stopping.abort(new Error('enough'));
    await expect(started).rejects.toThrow('enough');
    await follower.stop(NEVER);
    await follower.stop(NEVER);
  });
});

test('the topic that is followed is a control topic', () => {
  expect(CONTROL_TOPICS.tenants).toBe('weir.tenants');
});

test('a key that was revoked stays so while the topic is read again, were it to stall where the key was still good', async () => {
  const good = { keys: [{ prefix: '0123abcd', hash: `hmac-sha256:${'0'.repeat(64)}` }] };
  const revoked = { keys: [{ ...good.keys[0], revoked: true }] };
  log.put('acme', good);
  log.put('acme', revoked);
  const before = follow();
  await before.follower.start(NEVER);
  await vi.waitFor(() => expect(before.directory.get('acme')?.keys[0]?.revoked).toBe(true));
  await before.follower.stop(NEVER);
  log.stallAt = 1;
  const after = follow();
  await after.follower.start(NEVER);
  await vi.waitFor(() => expect(log.asked.filter((offset) => offset === 1).length).toBeGreaterThan(0));
  expect(after.directory.complete).toBe(false);
  expect(after.directory.get('acme')?.keys[0]?.revoked).toBe(true);
});

test('a key that was revoked stays so while the topic is read anew', async () => {
  const good = { keys: [{ prefix: '0123abcd', hash: `hmac-sha256:${'0'.repeat(64)}` }] };
  log.put('acme', good);
  log.put('acme', { keys: [{ ...good.keys[0], revoked: true }] });
  const { directory, follower } = follow();
  await follower.start(NEVER);
  expect(directory.get('acme')?.keys[0]?.revoked).toBe(true);
  log.stallAt = 1;
  log.rejects = true;
  log.asked.length = 0;
  await vi.waitFor(() => expect(log.asked.lastIndexOf(1)).toBeGreaterThan(log.asked.indexOf(0)), { timeout: 5_000 });
  expect(log.asked).toContain(0);
  expect(directory.get('acme')?.keys[0]?.revoked).toBe(true);
});
