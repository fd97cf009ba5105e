import { median } from './memory-watch.ts';
import { ATTACKS, SERVICES, type SoakResult } from './soak.ts';

/** By how much the memory of the last quarter may be above that of the second: the first warms up. */
const GROWTH_MAX = 1.1;
/** What one collection more or less makes of it. */
const SLACK_MIB = 15;

/** A service's memory at the beginning and at the end, MiB. */
export interface Growth {
  readonly service: string;
  readonly early: number;
  readonly late: number;
  readonly flat: boolean;
}

/** Compares the second quarter of the rounds with the last. */
export function growthOf({ rounds }: Pick<SoakResult, 'rounds'>): Growth[] {
  const quarter = Math.max(1, Math.floor(rounds.length / 4));
  const middle = rounds.slice(quarter, 2 * quarter);
  const last = rounds.slice(-quarter);
  return SERVICES.map((service) => {
    const of = (some: SoakResult['rounds']) =>
      median(some.flatMap(({ memory }) => (memory[service] === undefined ? [] : [memory[service]])));
    const [early, late] = [of(middle.length > 0 ? middle : last), of(last)];
    return { service, early, late, flat: late <= Math.max(early * GROWTH_MAX, early + SLACK_MIB) };
  });
}

/** What is not as it was promised; empty where all is. */
export function faultsOf(result: SoakResult): string[] {
  const faults: string[] = [];
  for (const round of result.rounds) {
    const at = `minute ${round.minute.toFixed(1)}`;
    for (const [answer, items] of Object.entries(round.refused)) {
      faults.push(`${at}: ${items} items of honest clients were answered ${answer}`);
    }
    for (const what of ['lost', 'doubled', 'misplaced', 'alien', 'unsent'] as const) {
      if (round[what] > 0) faults.push(`${at}: ${round[what]} items ${what}`);
    }
    for (const name of round.restarted) faults.push(`${at}: ${name} has been restarted`);
  }
  for (const { service, early, late, flat } of growthOf(result)) {
    if (!flat) faults.push(`memory of ${service} went from ${early.toFixed(0)} to ${late.toFixed(0)} MiB`);
  }
  for (const { name, allowed } of ATTACKS) {
    for (const [answer, times] of result.answers.get(name) ?? []) {
      if (!allowed.test(answer)) faults.push(`${name} was answered ${answer}, ${times} times`);
    }
    if (!result.answers.has(name)) faults.push(`${name} was never answered`);
  }
  for (const answer of result.greedy.keys()) {
    if (!/^(accepted|HTTP 429|gRPC 8)$/.test(answer)) faults.push(`the tenant over its rate was answered ${answer}`);
  }
  return [...faults, ...result.unbalanced.map((what) => `the books of ${what}`)];
}
