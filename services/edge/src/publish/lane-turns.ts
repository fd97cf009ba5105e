/**
 * The order in which lanes are asked, which is a new one every turn. It is chance's: over the turns each of a tenant's
 * lanes is the first of them as often as the others, and within a turn tenants that have lanes in common have the same first one more
 * often than by chance. Another seed gives other turns.
 */
export class LaneTurns {
  readonly #seed: number;
  readonly #turnMs: number;
  readonly #places: Uint32Array;
  #turn = -1;

  /** @param seed 32 bits */
  constructor(lanes: number, seed: number, turnMs: number) {
    this.#places = new Uint32Array(lanes);
    this.#seed = seed;
    this.#turnMs = turnMs;
  }

  /** Of each lane a number: the least is asked first. Holds until the next call. */
  placesAt(nowMs: number): Uint32Array {
    const turn = Math.floor(nowMs / this.#turnMs);
    if (turn !== this.#turn) {
      this.#turn = turn;
      const key = mix(this.#seed ^ mix(turn));
      for (let lane = 0; lane < this.#places.length; lane++) this.#places[lane] = mix(key + lane);
    }
    return this.#places;
  }
}

/** Spreads 32 bits over 32 bits, one to one: what MurmurHash3 ends with. */
function mix(value: number): number {
  let bits = value | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
