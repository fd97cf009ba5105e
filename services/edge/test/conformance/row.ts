import {
  ExportWire,
  WIRE_PLACES,
  WIRE_TRANSPORTS,
  type WirePlace,
  type WireTransport,
  wireTarget,
} from '@weir/testkit';
import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, test } from 'vitest';

export const stack = sharedStack();

/** The title of a test of the conformance table; docs/CONFORMANCE.md is made of them. */
export function title(row: number, transport: WireTransport, place: WirePlace, behaviour: string): string {
  return `conformance ${row} | ${transport} | ${place} | ${behaviour}`;
}

const wires = new Map<WirePlace, ExportWire>();

/** The wire to a place of the shared stack, for all tests of a file. */
export function wireTo(place: WirePlace): ExportWire {
  const wire = wires.get(place) ?? new ExportWire(wireTarget(stack, place));
  wires.set(place, wire);
  return wire;
}

afterAll(() => {
  for (const wire of wires.values()) wire.close();
});

/** Where and how a test of a row is run. */
export interface RowCase {
  readonly transport: WireTransport;
  readonly place: WirePlace;
  readonly wire: ExportWire;
}

const HTTP = WIRE_TRANSPORTS.filter((transport) => transport !== 'gRPC');

export const ON = {
  all: WIRE_TRANSPORTS,
  http: HTTP,
  json: ['HTTP/JSON'],
  protobuf: ['HTTP/protobuf'],
  grpc: ['gRPC'],
} as const;

/** A behaviour of a row: one test for each of the transports at each of the places. */
export function behaves(
  row: number,
  behaviour: string,
  run: (at: RowCase) => Promise<void>,
  transports: readonly WireTransport[] = WIRE_TRANSPORTS,
  places: readonly WirePlace[] = WIRE_PLACES,
): void {
  for (const transport of transports) {
    for (const place of places) {
      test(title(row, transport, place, behaviour), () => run({ transport, place, wire: wireTo(place) }));
    }
  }
}
