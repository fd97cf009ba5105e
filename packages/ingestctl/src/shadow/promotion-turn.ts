import { randomBytes } from 'node:crypto';
import type { Clock } from '@weir/pipeline';
import { Refused } from '../refused.ts';
import type { ReplayJournal, ReplayState } from '../replay/journal.ts';
import type { ReplayPlan } from '../replay/plan.ts';

const RUN_BYTES = 6;
const LOOK_MS = 250;
/** For how long one that began earlier waits for a later one to withdraw, which that does at once. */
const WITHDRAWAL_MS = 10_000;

/**
 * Lets one replay at a time change the same rows: what two promotions insert has different tokens, and each decides by what live has.
 * Each says in the journal that it is promoting, then looks, and goes on only when it has seen no other one: of two at least the one
 * that looks later sees the other. The later of them withdraws, the earlier waits for that. No clock is trusted with more than who
 * that is. Runs of the same replay go on side by side.
 */
export class PromotionTurn {
  readonly #journal: Pick<ReplayJournal, 'told' | 'list'>;
  readonly #clock: Clock;
  readonly #catchUp: () => Promise<void>;

  /** @param catchUp resolves once every replica has the lines that any of them has */
  constructor(journal: Pick<ReplayJournal, 'told' | 'list'>, clock: Clock, catchUp: () => Promise<void>) {
    this.#journal = journal;
    this.#clock = clock;
    this.#catchUp = catchUp;
  }

  /** The journal then has the replay as promoting. @throws Refused while another replay has the turn, or this one was dropped */
  async take(plan: ReplayPlan, signal: AbortSignal): Promise<void> {
    const before = await this.#look(plan, signal);
    if (before.other !== undefined) throw refusal(before.other);
    const run = randomBytes(RUN_BYTES).toString('hex');
    try {
      await this.#journal.told(plan.id, 'promoting', { run }, signal);
      await this.#seeNone(plan, signal);
    } catch (error) {
      // It has changed nothing. Where that cannot be said either the next run of the replay ends it.
      await this.#journal
        .told(plan.id, 'withdrawn', { run }, AbortSignal.timeout(WITHDRAWAL_MS))
        .catch(() => undefined);
      throw error;
    }
  }

  async #seeNone(plan: ReplayPlan, signal: AbortSignal): Promise<void> {
    const untilMs = this.#clock.nowMs() + WITHDRAWAL_MS;
    for (;;) {
      const { own, other } = await this.#look(plan, signal);
      if (other === undefined) return;
      if (isBefore(other, own) || this.#clock.nowMs() >= untilMs) throw refusal(other);
      await this.#clock.sleep(LOOK_MS, signal);
    }
  }

  /** The replay, and of others that are being promoted and have to do with the same rows the first. */
  async #look(plan: ReplayPlan, signal: AbortSignal): Promise<{ own: ReplayState; other: ReplayState | undefined }> {
    await this.#catchUp();
    const states = await this.#journal.list(signal);
    const own = states.find((state) => state.plan.id === plan.id);
    if (own === undefined) throw new Refused(`the shadow of ${plan.id} was dropped`);
    const others = states.filter((state) => state !== own && state.open.length > 0 && overlap(state.plan, plan));
    return { own, other: others.sort((a, b) => (isBefore(a, b) ? -1 : 1))[0] };
  }
}

function refusal({ plan: { id } }: ReplayState): Refused {
  return new Refused(
    `the replay ${id} has rows of the same window, and is being promoted or was cut off: end that with ingestctl shadow promote ${id}, then compare and promote this one`,
  );
}

function isBefore(one: ReplayState, other: ReplayState): boolean {
  const [oneMs, otherMs] = [one, other].map(({ open }) => open[0]?.atMs ?? Number.POSITIVE_INFINITY);
  return oneMs === otherMs ? one.plan.id < other.plan.id : oneMs! < otherMs!;
}

/** Whether both may have rows of the same raw record in the same table. */
function overlap(one: ReplayPlan, other: ReplayPlan): boolean {
  const [ones, others] = [one.filter.tenants, other.filter.tenants];
  return (
    one.track === other.track &&
    one.tables.some((table) => other.tables.includes(table)) &&
    (ones.length === 0 || others.length === 0 || ones.some((tenant) => others.includes(tenant))) &&
    one.partitions.some(({ partition, first, last }) =>
      other.partitions.some((each) => each.partition === partition && each.first <= last && first <= each.last),
    )
  );
}
