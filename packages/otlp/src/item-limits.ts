/** What the items of one tenant may be, beside what can be stored at all. Whole numbers below 2^30. */
export interface ItemLimits {
  /** Attributes of an item with those of its events, links and exemplars; likewise those of a resource, and of a scope. */
  readonly attributesMax: number;
  readonly keyBytesMax: number;
  /** Of a text or bytes value; of any other, as protobuf. */
  readonly valueBytesMax: number;
  /** The window of the time that an item is stored under, ns since the epoch. */
  readonly timeMinNs: number;
  readonly timeMaxNs: number;
  /** Which series there may be; undefined: they are not looked at. */
  readonly series: SeriesGate | undefined;
}

/** Decides on the series of data points. */
export interface SeriesGate {
  /**
   * Whether a point of this series may be taken; a new series counts from here on.
   *
   * @param lo @param hi halves of the hash of its name, resource, scope and attributes, as signed 32-bit integers
   */
  admit(lo: number, hi: number): boolean;
}

/** Stands for no limit: more than any body has. A small integer, so that comparing stays cheap. */
const NONE = 2 ** 30 - 1;

/** No limits. */
export const UNLIMITED: ItemLimits = {
  attributesMax: NONE,
  keyBytesMax: NONE,
  valueBytesMax: NONE,
  timeMinNs: Number.NEGATIVE_INFINITY,
  timeMaxNs: Number.POSITIVE_INFINITY,
  series: undefined,
};
