/** What is taken: everything, only priority exports, or nothing. From the emptiest to the fullest. */
export const ZONES = ['open', 'priority', 'closed'] as const;

export type Zone = (typeof ZONES)[number];

/**
 * From which fill a zone is entered, and below which it is left again. Between both what held before holds on, so that a
 * fill at the edge of a zone does not take and refuse by turns.
 */
export const ZONE_BOUNDS = {
  priority: { from: 0.9, leftBelow: 0.85 },
  closed: { from: 1, leftBelow: 0.95 },
} as const satisfies Record<Exclude<Zone, 'open'>, { from: number; leftBelow: number }>;

/** The zone at a fill ratio (1 is full), coming from another. */
export function zoneAt(fill: number, from: Zone): Zone {
  const { priority, closed } = ZONE_BOUNDS;
  if (fill >= (from === 'closed' ? closed.leftBelow : closed.from)) return 'closed';
  if (fill >= (from === 'open' ? priority.from : priority.leftBelow)) return 'priority';
  return 'open';
}

/** Whether a zone takes an export. */
export function takes(zone: Zone, priority: boolean): boolean {
  return zone === 'open' || (zone === 'priority' && priority);
}

/** The zone of something whose fill is observed now and then. */
export class ZoneGauge {
  readonly #onChange: (zone: Zone) => void;
  #zone: Zone = 'open';

  constructor(onChange: (zone: Zone) => void = () => undefined) {
    this.#onChange = onChange;
  }

  get zone(): Zone {
    return this.#zone;
  }

  /** Takes the fill of this moment; returns the zone that it leads to. */
  observe(fill: number): Zone {
    const zone = zoneAt(fill, this.#zone);
    if (zone !== this.#zone) {
      this.#zone = zone;
      this.#onChange(zone);
    }
    return zone;
  }
}
