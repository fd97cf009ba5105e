import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CapacityStack, type LoadSpec, measurePoint } from '@weir/bench-capacity';
import { ROOT } from '@weir/local';
import { currentCommit, machine, readCommandLine, wrongUsage } from '@weir/testkit';
import { type CpuProfile, timesOf } from './cpu-profile.ts';
import { type Profiled, renderPage } from './report.ts';

const HELP = `Where the CPU time of edge, normalizer and sink goes while spans of 8 attributes and 380 bytes pass.

  npm run profile
  npm run profile -- --rate 30000 --items 10

  --rate R       spans a second (default 60000)
  --items N      spans an export; give it more than once for several loads (default 1000)
  --seconds S    how long (default 20)
  --partitions N of each topic (default 4)
  --print        prints the page instead of writing bench/results/profile.md

Exit status: 0 done, 1 something was lost or doubled, 2 wrong usage.
`;

const SERVICES = ['edge', 'normalizer', 'sink'] as const;
const WARM_UP_S = 15;
const SAMPLE_US = 500;
const NS_PER_US = 1_000n;

const print = (text: string) => process.stdout.write(`${text}\n`);

async function main(): Promise<number> {
  const values = readCommandLine(
    {
      rate: { type: 'string', default: '60000' },
      items: { type: 'string', multiple: true, default: ['1000'] },
      seconds: { type: 'string', default: '20' },
      partitions: { type: 'string', default: '4' },
      print: { type: 'boolean', default: false },
    },
    HELP,
  );
  const [rate, seconds, partitions] = [Number(values.rate), Number(values.seconds), Number(values.partitions)];
  const sizes = values.items.map(Number);
  if (!(Number.isSafeInteger(partitions) && partitions > 0)) wrongUsage('--partitions is a whole number above 0');
  if (!(rate > 0) || !(seconds > 0)) wrongUsage('--rate and --seconds are above 0');
  if (!sizes.every((size) => Number.isSafeInteger(size) && size > 0)) wrongUsage('--items is a whole number above 0');
  const all: Profiled[] = [];
  for (const itemsPerExport of sizes) {
    const load = { rate, seconds, itemsPerExport, attributes: 8, tenants: 1 } as const;
    all.push(await profiled({ ...load, transport: 'http', signal: 'traces' }, partitions));
  }
  const { cores, cpu } = machine();
  const page = renderPage(all, {
    commit: currentCommit(),
    machine: `${cores} cores, ${cpu}`,
    node: process.versions.node,
  });
  if (values.print) print(page);
  else writeFileSync(join(ROOT, 'bench/results/profile.md'), page);
  return all.some(({ point }) => point.lost + point.doubled > 0) ? 1 : 0;
}

/** Runs one load on a stack of its own, whose processes are sampled from their start to their end. */
async function profiled(load: LoadSpec, partitions: number): Promise<Profiled> {
  const dir = mkdtempSync(join(tmpdir(), 'weir-profile-'));
  const sampled = join(dir, 'profiles');
  mkdirSync(sampled);
  const env = { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${sampled} --cpu-prof-interval=${SAMPLE_US}` };
  const spec = { partitions, counts: { edge: 1, normalizer: 1, sink: 1 }, tenants: 1, env };
  const stacks = new CapacityStack();
  try {
    const { stack } = await stacks.get(spec);
    const wanted = { name: 'profile', round: 0, commit: currentCommit(), stack: spec };
    await measurePoint(stack, { ...wanted, load: { ...load, seconds: WARM_UP_S } });
    const fromUs = monotonicUs();
    const point = await measurePoint(stack, { ...wanted, load });
    const toUs = monotonicUs();
    await stacks.stop();
    const profiles = readdirSync(sampled).map(
      (name) => JSON.parse(readFileSync(join(sampled, name), 'utf8')) as CpuProfile,
    );
    const services = SERVICES.map((service) => ({ service, functions: timesOf(service, profiles, fromUs, toUs) }));
    return { load, partitions, point, services };
  } finally {
    await stacks.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The clock that profiles are stamped with. */
function monotonicUs(): number {
  return Number(process.hrtime.bigint() / NS_PER_US);
}

process.exit(await main());
