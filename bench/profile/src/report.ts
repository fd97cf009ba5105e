import type { LoadSpec, PointResult } from '@weir/bench-capacity';
import type { SelfTime } from './cpu-profile.ts';
import type { WorkKind } from './work-kind.ts';

/** One load, and what each service did meanwhile. */
export interface Profiled {
  readonly load: LoadSpec;
  readonly partitions: number;
  readonly point: PointResult;
  readonly services: readonly {
    readonly service: 'edge' | 'normalizer' | 'sink';
    readonly functions: readonly SelfTime[];
  }[];
}

export interface Circumstances {
  readonly commit: string;
  readonly machine: string;
  readonly node: string;
}

const FUNCTIONS = 12;

/** The page of bench/results/profile.md. */
export function renderPage(all: readonly Profiled[], { commit, machine, node }: Circumstances): string {
  const head = [
    '# Where the time goes',
    '',
    '<!-- Written by `npm run profile`. -->',
    '',
    `Commit ${commit}, Node ${node}, ${machine}. Spans of 8 attributes and about 380 bytes over HTTP through Envoy, open loop, everything on this`,
    'machine. CPU seconds for a million spans, from the operating system, shared out by samples of the main thread (`node --cpu-prof`, which costs some itself). A kind of work is told by the',
    "file of a function, and for what is the runtime's own by the nearest caller that has one: `writev` below a socket is the kernel's sending and TLS.",
  ];
  return `${[...head, ...all.flatMap(section)].join('\n')}\n`;
}

function section({ load, partitions, point, services }: Profiled): string[] {
  const title = `## ${load.itemsPerExport.toLocaleString('en')} spans an export, ${load.rate.toLocaleString('en')} spans a second`;
  const rest = (['envoy', 'kafka', 'clickhouse'] as const).map((kind) => `${kind} ${point.cpuS[kind].toFixed(2)}`);
  const lines = [
    '',
    title,
    '',
    `${partitions} partitions. Beside the services: ${rest.join(', ')}. Lost ${point.lost}, doubled ${point.doubled}.`,
  ];
  for (const { service, functions } of services) lines.push(...serviceLines(service, functions, point));
  return lines;
}

function serviceLines(
  service: 'edge' | 'normalizer' | 'sink',
  functions: readonly SelfTime[],
  point: PointResult,
): string[] {
  const whole = point.cpuS[service];
  const sampledUs = functions.reduce((sum, { us }) => sum + us, 0);
  const seconds = (us: number) => ((us / sampledUs) * whole).toFixed(2);
  const kinds = new Map<WorkKind, number>();
  for (const { kind, us } of functions) kinds.set(kind, (kinds.get(kind) ?? 0) + us);
  const rows = [...kinds].sort((a, b) => b[1] - a[1]);
  return [
    '',
    `### ${service}: ${whole.toFixed(2)}`,
    '',
    '| work | CPU s per million | share |',
    '| --- | ---: | ---: |',
    ...rows.map(([kind, us]) => `| ${kind} | ${seconds(us)} | ${((us / sampledUs) * 100).toFixed(0)} % |`),
    '',
    '| function | | CPU s per million |',
    '| --- | --- | ---: |',
    ...functions.slice(0, FUNCTIONS).map(({ name, place, us }) => `| \`${name}\` | ${place} | ${seconds(us)} |`),
  ];
}
