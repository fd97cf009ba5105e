import { waterLevel } from './water-level.ts';

/** Demand is never steady: one who is measured at 100 is given room for this much more before others want more. */
const MARGIN = 1.25;
/** Of a limit, what all live edges together have without asking for it: the first export at an edge must not wait. */
const STANDING = 0.05;

/**
 * How a limit is shared among the live edges by what each measures of the tenant's demand: what each wants while there is
 * enough, and what is spare in equal parts; else the same level for all who want more than that. The shares add up to the
 * limit, for one edge and for any number of them.
 *
 * @param demands a second, one for each live edge; at least one
 * @returns the share of the edge at the same place
 */
export function limitShares(limit: number, demands: readonly number[]): number[] {
  const standing = (limit * STANDING) / demands.length;
  const wanted = demands.map((demand) => Math.max(standing, demand * MARGIN));
  const level = waterLevel(
    wanted.map((demand) => ({ demand, weight: 1 })),
    limit,
  );
  const given = wanted.map((demand) => Math.min(demand, level));
  const spare = Math.max(0, limit - given.reduce((sum, share) => sum + share, 0)) / demands.length;
  return given.map((share) => share + spare);
}
