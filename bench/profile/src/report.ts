import type { LoadSpec, PointResult } from '@weir/bench-capacity';
import type { SelfTime } from './cpu-profile.ts';
import type { WorkKind } from './work-kind.ts';

/** One load, and what each service did meanwhile. */
export interface Profiled {
  readonly load: LoadSpec;
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
const US_PER_S = 1e6;

/** The page of bench/results/profile.md. */
export function renderPage(all: readonly Profiled[], { commit, machine, node }: Circumstances): string {
  const head = [
    '# Where the time goes',
    '',
    '<!-- Written by `npm run profile`. -->',
    '',
    `Commit ${commit}, Node ${node}, ${machine}. Spans of 8 attributes and about 380 bytes over HTTP through Envoy, open loop, everything on this`,
    'machine. CPU seconds for a million spans. The main thread of each service is sampled (`node --cpu-prof`): a kind of work is told by the file of a function,',
    "and for what is the runtime's own by the nearest caller that has one. _Other threads_ is what the operating system counts for the process beyond the samples: collection beside the",
    'main thread, the compiler, and TLS of the sockets where it is not in a call. Sampling itself costs some of what is shown.',
  ];
  return `${[...head, ...all.flatMap(section)].join('\n')}\n`;
}

function section({ load, point, services }: Profiled): string[] {
  const title = `## ${load.itemsPerExport.toLocaleString('en')} spans an export, ${load.rate.toLocaleString('en')} spans a second`;
  const rest = (['envoy', 'kafka', 'clickhouse'] as const).map((kind) => `${kind} ${point.cpuS[kind].toFixed(2)}`);
  const lines = [
    '',
    title,
    '',
    `Beside the services: ${rest.join(', ')}. Lost ${point.lost}, doubled ${point.doubled}.`,
  ];
  for (const { service, functions } of services) lines.push(...serviceLines(service, functions, point));
  return lines;
}

function serviceLines(
  service: 'edge' | 'normalizer' | 'sink',
  functions: readonly SelfTime[],
  point: PointResult,
): string[] {
  const perMillion = (us: number) => us / US_PER_S / (point.accepted / 1e6);
  const kinds = new Map<WorkKind, number>();
  for (const { kind, us } of functions) kinds.set(kind, (kinds.get(kind) ?? 0) + us);
  const whole = point.cpuS[service];
  const sampled = [...kinds].map(([kind, us]) => [kind as string, perMillion(us)] as const);
  const others = whole - sampled.reduce((sum, [, seconds]) => sum + seconds, 0);
  const rows = [...sampled, ['other threads', others] as const].sort((a, b) => b[1] - a[1]);
  return [
    '',
    `### ${service}: ${whole.toFixed(2)}`,
    '',
    '| work | CPU s per million | share |',
    '| --- | ---: | ---: |',
    ...rows.map(([kind, seconds]) => `| ${kind} | ${seconds.toFixed(2)} | ${((seconds / whole) * 100).toFixed(0)} % |`),
    '',
    '| function | | CPU s per million |',
    '| --- | --- | ---: |',
    ...functions
      .slice(0, FUNCTIONS)
      .map(({ name, place, us }) => `| \`${name}\` | ${place} | ${perMillion(us).toFixed(2)} |`),
  ];
}
