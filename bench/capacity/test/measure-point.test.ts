import { afterAll, expect, test } from 'vitest';
import { CapacityStack, type LoadSpec, measurePoint, type StackSpec } from '../src/index.ts';

const stacks = new CapacityStack();
const STACK: StackSpec = { partitions: 2, counts: { edge: 2, normalizer: 1, sink: 1 }, tenants: 3 };
const LOAD: LoadSpec = {
  rate: 600,
  signal: 'traces',
  seconds: 2,
  itemsPerExport: 10,
  attributes: 5,
  transport: 'http',
  tenants: 3,
};

afterAll(() => stacks.stop());

const point = async (load: LoadSpec) => {
  const { stack } = await stacks.get(STACK);
  return measurePoint(stack, { name: 'test', round: 0, commit: '', stack: STACK, load });
};

test.each<Partial<LoadSpec>>([{}, { signal: 'metrics', transport: 'grpc' }])(
  'a point says what its load took, and that all of it is stored once: %j',
  async (own) => {
    const measured = await point({ ...LOAD, ...own });
    expect(measured).toMatchObject({ acceptedShare: 1, reasons: {}, lost: 0, doubled: 0 });
    // Two seconds, and three in which connections are opened.
    expect(measured.accepted).toBeGreaterThan(2_000);
    expect(measured.probes).toBeGreaterThan(5);
    for (const cpuS of Object.values(measured.cpuS)) expect(cpuS).toBeGreaterThan(0);
    for (const mib of Object.values(measured.rssMiB)) expect(mib).toBeGreaterThan(20);
    for (const bytes of Object.values(measured.bytes)) expect(bytes).toBeGreaterThan(1);
  },
  240_000,
);
