import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSender } from '@weir/bench-load';
import { systemClock } from '@weir/pipeline';
import { createPool } from './export-pool.ts';
import { Generator } from './generator.ts';
import { generatorLoad, unsent, untilArrived, warmUp } from './measure-run.ts';
import type { SeriesLoad } from './series-load.ts';
import type { Running, Stage, System } from './systems/system.ts';

/** What came of a process killed in the middle of a load. */
export interface Killed {
  readonly acceptedItems: number;
  readonly lost: number;
  readonly doubled: number;
}

/** What an answer of a system is worth, tried. */
export interface PromiseResult {
  readonly system: string;
  /** Whether an export is answered with success while what makes it durable stands still. */
  readonly answersBeforeDurable: boolean;
  /** With kill -9, by the stage that was killed. */
  readonly killed: Readonly<Partial<Record<Stage, Killed>>>;
}

const FROZEN_MS = 4_000;
/** Peers that were cut off from Kafka or killed take their time until they read again. */
const SETTLE_MS = 3_000;
const KILLED_ITEMS = 200_000;
const BACK_MS = 500;

/** Tries the promise of a system: by freezing what makes an export durable, and by killing each of its stages. */
export async function tryPromise(system: System, load: SeriesLoad): Promise<PromiseResult> {
  const answersBeforeDurable = await onRunning(system, load, (running) => answersFrozen(system, running, load));
  const killed: Partial<Record<Stage, Killed>> = {};
  for (const stage of system.stages.filter((name) => name !== 'proxy')) {
    killed[stage] = await onRunning(system, load, (running) => kill(system, running, load, stage));
  }
  return { system: system.name, answersBeforeDurable, killed };
}

async function onRunning<T>(system: System, load: SeriesLoad, work: (running: Running) => Promise<T>): Promise<T> {
  const running = await system.start(load.signal, randomBytes(4).toString('hex'));
  try {
    await running.empty();
    return await work(running);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`${system.name}: ${why}\n${running.logs()}`);
  } finally {
    await running.stop();
  }
}

async function answersFrozen(system: System, running: Running, load: SeriesLoad): Promise<boolean> {
  const { target, parts } = running;
  const ca = target.caFile === undefined ? undefined : readFileSync(target.caFile);
  const sender = createSender({ ...target, ca }, 'http', { compression: 'none', connections: 1 });
  const export_ = () => createPool(load.signal, randomBytes(4).toString('hex'), 100, 100)[0]!.body;
  const before = await running.arrived();
  // The first shows that it answers at all.
  const first = await sender.send(load.signal, export_(), target.key);
  if (first.kind !== 'accepted') throw new Error(`not accepted: ${first.reason}`);
  await untilArrived(running, system, before, 100);
  const pid = parts.find(({ name }) => name === system.durableIn)!.pid();
  process.kill(pid, 'SIGSTOP');
  try {
    const answer = sender.send(load.signal, export_(), target.key).then(({ kind }) => kind === 'accepted');
    return await Promise.race([answer, systemClock.sleep(FROZEN_MS).then(() => false)]);
  } finally {
    process.kill(pid, 'SIGCONT');
    await systemClock.sleep(SETTLE_MS);
    await sender.close();
  }
}

async function kill(system: System, running: Running, load: SeriesLoad, stage: Stage): Promise<Killed> {
  const items = Math.min(load.items, KILLED_ITEMS);
  await warmUp(running, system, { ...load, items });
  const run = randomBytes(4).toString('hex');
  // Nothing is sent twice: what is there twice then was not the client's doing.
  const sending = { retries: false, endsEarly: stage === 'edge' };
  const generator = await Generator.start(generatorLoad(running, load, run, items, sending));
  const before = await running.arrived();
  const victims = running.parts.filter((part) => part.stage === stage);
  const result = await generator.go(() => {
    for (const { pid } of victims) process.kill(pid(), 'SIGKILL');
  });
  await systemClock.sleep(BACK_MS);
  await untilArrived(running, system, before, Number.POSITIVE_INFINITY);
  const { lost, doubled } = await running.check(run, items, [
    ...result.notAccepted,
    ...unsent(items, result.sentItems),
  ]);
  return { acceptedItems: result.acceptedItems, lost, doubled };
}
