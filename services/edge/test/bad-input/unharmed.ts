import { readFileSync, writeFileSync } from 'node:fs';
import { encodeExport, pause } from '@weir/testkit';
import { expect } from 'vitest';
import type { Front } from './front.ts';

const MIB = 1024 ** 2;
const TICKS_PER_S = 100;
const NEIGHBOUR_EVERY_MS = 50;

/** Tenants of these tests: who attacks, and who must not notice. */
export const ATTACKER = 'attacker';
export const NEIGHBOUR = 'neighbour';

/**
 * What an attack may cost each process that it reaches. Resident memory is taken at its peak, above what it was before.
 * A process at work takes some of it anyway: young objects, buffers of TLS and of the neighbour's exports.
 */
export interface Cost {
  readonly peakMiB: number;
  /** CPU of the process while the attack goes on, the neighbour's exports included. */
  readonly cpuS?: number;
}

/** Of an attack that is refused by what it says of itself, before much is kept: nothing but the ordinary. */
export const LITTLE: Cost = { peakMiB: 96 };

interface Vitals {
  readonly pid: number;
  readonly rss: number;
  readonly cpuS: number;
}

function status(pid: number, field: string): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) * 1_024;
}

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

function vitals(pid: number): Vitals {
  // The peak is counted from here on.
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  return { pid, rss: status(pid, 'VmRSS'), cpuS: cpuSeconds(pid) };
}

const span = Buffer.from(
  encodeExport('traces', {
    resourceSpans: [
      {
        scopeSpans: [
          {
            spans: [{ traceId: new Uint8Array(16).fill(5), spanId: new Uint8Array(8).fill(5), startTimeUnixNano: 1n }],
          },
        ],
      },
    ],
  }),
);

/** The answers to another tenant's exports, over HTTP and gRPC: success without a word. */
async function neighbour({ client, stack }: Front): Promise<string> {
  const key = stack.key(NEIGHBOUR);
  const http = await client.export('traces', span, { key });
  const grpc = await client.grpc('traces', span, { key });
  const said = grpc.ok ? `0 with ${grpc.body.length} bytes` : String(grpc.error);
  return `${http.status} with ${http.body.length} bytes, ${said}`;
}

const WELL = '200 with 0 bytes, 0 with 0 bytes';

/**
 * Carries an attack out and checks what must hold after each: the processes are the same and ready, what it cost is
 * within its bound, and another tenant's exports were answered as before, while it went on and after it.
 */
export async function unharmed<T>(
  front: Front,
  cost: Cost,
  attack: () => Promise<T>,
  everyMs = NEIGHBOUR_EVERY_MS,
): Promise<T> {
  const { stack } = front;
  expect(await neighbour(front)).toBe(WELL);
  const before = front.processes.map((name) => ({ name, ...vitals(stack.pid(name)) }));
  const attacking = attack();
  let going = true;
  const done = attacking.then(
    () => undefined,
    () => undefined,
  );
  void done.then(() => {
    going = false;
  });
  while (going) {
    expect(await neighbour(front)).toBe(WELL);
    await Promise.race([done, pause(everyMs)]);
  }
  const result = await attacking;
  expect(await neighbour(front)).toBe(WELL);
  for (const { name, pid, rss, cpuS } of before) {
    expect([name, stack.pid(name)]).toEqual([name, pid]);
    const grown = (status(pid, 'VmHWM') - rss) / MIB;
    expect(grown, `peak memory of ${name} above what it was, MiB`).toBeLessThan(cost.peakMiB);
    const used = cpuSeconds(pid) - cpuS;
    if (cost.cpuS !== undefined) expect(used, `CPU seconds of ${name}`).toBeLessThan(cost.cpuS);
  }
  expect(await stack.ready('edge')).toBe(true);
  return result;
}
