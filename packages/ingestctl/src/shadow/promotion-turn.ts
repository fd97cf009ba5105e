import { randomBytes } from 'node:crypto';
import { faultPoint } from '@weir/pipeline';
import type { TurnScope } from '@weir/records';
import type { RedriveJournal } from '../dlq/redrive-journal.ts';
import { Refused } from '../refused.ts';
import type { ReplayJournal } from '../replay/journal.ts';
import type { ReplayPlan } from '../replay/plan.ts';

const RUN_BYTES = 6;
const WITHDRAWAL_MS = 10_000;
/** Replays whose shadows are gone, and that are ended here, before this gives up. */
const ENDED_MAX = 100;

/**
 * Lets one replay at a time change the same rows: what two promotions insert has different tokens, and each decides by what live has.
 * Who has the turn follows from the order of weir.redrives, so nobody waits, and one that was killed can always go on: its next run
 * has the turn still. Then the replay's own journal says that it is being promoted, before anything is changed. Runs of the same
 * replay go on side by side.
 */
export class PromotionTurn {
  readonly #replays: Pick<ReplayJournal, 'told' | 'list'>;
  readonly #redrives: RedriveJournal;
  readonly #catchUp: () => Promise<void>;

  /** @param catchUp resolves once every replica has the lines of replays that any of them has */
  constructor(replays: Pick<ReplayJournal, 'told' | 'list'>, redrives: RedriveJournal, catchUp: () => Promise<void>) {
    this.#replays = replays;
    this.#redrives = redrives;
    this.#catchUp = catchUp;
  }

  /**
   * Returns the id of this run. @throws Refused while another replay has the turn, or this one was dropped; then this one holds nothing
   */
  async take(plan: ReplayPlan, signal: AbortSignal): Promise<string> {
    const run = randomBytes(RUN_BYTES).toString('hex');
    let hasTurn = false;
    try {
      await this.#enter(plan, run, signal);
      hasTurn = true;
      faultPoint('promote.after_turn');
      await this.#replays.told(plan.id, 'promoting', { run }, signal);
      return run;
    } catch (error) {
      // It has changed nothing. Where that cannot be said either the next run of the replay ends it.
      const last = AbortSignal.timeout(WITHDRAWAL_MS);
      if (hasTurn) await this.#replays.told(plan.id, 'withdrawn', { run }, last).catch(() => undefined);
      await this.end(plan.id, [run], last).catch(() => undefined);
      throw error;
    }
  }

  /** Lets others have the turn. */
  async end(replay: string, runs: readonly string[], signal: AbortSignal): Promise<void> {
    const held = new Set(this.#redrives.book.turns.runsOf(replay));
    const over = runs.filter((run) => held.has(run));
    if (over.length > 0) await this.#redrives.put({ kind: 'turn_over', replay, runs: over }, signal);
  }

  async #enter(plan: ReplayPlan, run: string, signal: AbortSignal): Promise<void> {
    const { turns } = this.#redrives.book;
    const scope = scopeOf(plan);
    await this.#catchUp();
    await this.#redrives.refresh(signal);
    for (let ended = 0; ; ended++) {
      const ids = new Set((await this.#replays.list(signal)).map(({ plan: { id } }) => id));
      if (!ids.has(plan.id)) throw new Refused(`the shadow of ${plan.id} was dropped`);
      const before = turns.before(plan.id, scope);
      if (before === undefined) {
        await this.#redrives.put({ kind: 'turn', replay: plan.id, run, scope }, signal);
        if (turns.runsOf(plan.id).includes(run)) return;
        // Somebody was faster. The entry never counts.
        throw refusal(turns.before(plan.id, scope)?.replay ?? plan.id);
      }
      if (ids.has(before.replay) || ended === ENDED_MAX) throw refusal(before.replay);
      await this.#redrives.put({ kind: 'turn_over', replay: before.replay, runs: [...before.runs] }, signal);
    }
  }
}

function refusal(id: string): Refused {
  return new Refused(
    `the replay ${id} has rows of the same window, and is being promoted or was cut off: end that with ingestctl shadow promote ${id}, then compare and promote this one`,
  );
}

function scopeOf({ track, tables, filter, partitions }: ReplayPlan): TurnScope {
  const ranges = partitions.map(({ partition, first, last }) => ({ partition, first, last }));
  return { track, tables, tenants: filter.tenants, ranges };
}
