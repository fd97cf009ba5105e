import type { FaultPoint } from '@weir/pipeline';
import { pause } from '@weir/testkit';
import { expectThat } from '../until.ts';
import type { FaultRow } from './row.ts';

const POINTS: readonly (readonly [FaultPoint, string])[] = [
  ['edge.in_body', 'kill -9 edge in the middle of a body'],
  ['edge.before_produce', 'kill -9 edge before produce'],
  ['edge.after_produce', 'kill -9 edge after produce and before the answer'],
  ['normalizer.after_read', 'kill -9 normalizer after read'],
  ['normalizer.after_produce', 'kill -9 normalizer after produce and before commit'],
  ['sink.before_cut', 'kill -9 sink before the cut is recorded'],
  ['sink.after_cut', 'kill -9 sink after the cut and before the insert'],
  ['sink.in_insert', 'kill -9 sink in the insert'],
  ['sink.after_insert', 'kill -9 sink after the insert and before the commit'],
];

const SHORT: ReadonlySet<FaultPoint> = new Set(['edge.after_produce', 'normalizer.after_produce', 'sink.after_insert']);

const SERVICES = ['edge', 'normalizer', 'sink'] as const;

function killed([point, fault]: (typeof POINTS)[number]): FaultRow {
  const name = `kill-${point.replace('.', '-').replaceAll('_', '-')}`;
  const strike: FaultRow['strike'] =
    point === 'edge.in_body' ? (stack) => stack.killInBody() : (stack) => stack.killAt(point);
  return { name, fault, short: SHORT.has(point), strike };
}

/** A fence is only written when a partition is taken over, once the dead member's session has ended: the second kill strikes there. */
const FENCE: FaultRow = {
  name: 'kill-normalizer-after-fence',
  fault: 'kill -9 normalizer between fence and first record',
  strike: async (stack) => {
    await stack.end('normalizer', 'SIGKILL');
    await stack.killAt('normalizer.after_fence');
  },
};

const PARTITIONS = 4;
/** Time for the former owner to do what it was about to do. */
const THAWED_MS = 2_000;
const FREEZE_MS = Number(process.argv.includes('--long') ? 60_000 : 15_000);

const FROZEN_EDGE: FaultRow = {
  name: 'freeze-edge',
  fault: `SIGSTOP edge for ${FREEZE_MS / 1_000} s, then SIGCONT`,
  strike: (stack) => stack.freeze('edge', FREEZE_MS),
};

/** The former owner goes on where it stood while another owns all that it had. */
function disowned(service: 'normalizer' | 'sink'): FaultRow {
  return {
    name: `freeze-${service}`,
    fault: `SIGSTOP ${service} for ${FREEZE_MS / 1_000} s, until another owns all of its partitions, then SIGCONT`,
    strike: async (faults, _random, load) => {
      const { stack } = faults;
      const member = await faults.join(service, 0);
      try {
        await member.untilOwning();
        const frozen = stack.pid(service);
        const startedMs = performance.now();
        process.kill(frozen, 'SIGSTOP');
        try {
          const owned = await member.untilOwning(PARTITIONS);
          expectThat(owned === PARTITIONS, `the other ${service} owns ${owned} partitions`);
          const takenOverS = (performance.now() - startedMs) / 1_000;
          load.afterwards(async () => ({ 'until another owned all partitions, s': takenOverS }));
          await pause(FREEZE_MS - (performance.now() - startedMs));
          expectThat(stack.pid(service) === frozen, `the frozen ${service} has ended`);
        } finally {
          process.kill(frozen, 'SIGCONT');
        }
        await pause(THAWED_MS);
      } finally {
        await member.end('SIGTERM');
      }
    },
  };
}

const STOPPED = SERVICES.map(
  (service): FaultRow => ({
    name: `sigterm-${service}`,
    fault: `SIGTERM ${service}: drained, no answer that is not retryable`,
    strike: (stack) => stack.end(service, 'SIGTERM'),
  }),
);

/** A process killed at a step, stopped in order, or standing still. */
export const PROCESS_ROWS: readonly FaultRow[] = [
  ...POINTS.map(killed),
  FENCE,
  ...STOPPED,
  FROZEN_EDGE,
  disowned('normalizer'),
  disowned('sink'),
];
