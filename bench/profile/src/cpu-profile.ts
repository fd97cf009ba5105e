import { kindOf, type WorkKind } from './work-kind.ts';

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  /** From 0. */
  readonly lineNumber: number;
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: CallFrame;
  readonly children?: readonly number[];
}

/** What `node --cpu-prof` writes: samples of the main thread. Times are microseconds of the monotonic clock. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Time in one function, without what it called. */
export interface SelfTime {
  readonly name: string;
  /** Its file's name and line, or nothing where it is the runtime's own. */
  readonly place: string;
  readonly kind: WorkKind;
  readonly us: number;
}

const IDLE = '(idle)';

/** What each function took of the main thread in a window of time, most first. Waiting is left out. */
export function selfTimes(profile: CpuProfile, fromUs: number, toUs: number): readonly SelfTime[] {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(profile.nodes.flatMap(({ id, children }) => (children ?? []).map((child) => [child, id])));
  const sums = new Map<string, { name: string; place: string; kind: WorkKind; us: number }>();
  for (const [id, us] of samplesWithin(profile, fromUs, toUs)) {
    const { functionName, url, lineNumber } = nodes.get(id)!.callFrame;
    if (functionName === IDLE) continue;
    const kind = kindOf(functionName, nearestUrl(id, nodes, parents));
    const place = url === '' ? '' : `${url.split('/').slice(-1)[0]}:${lineNumber + 1}`;
    const key = `${kind} ${functionName} ${place}`;
    const sum = sums.get(key) ?? { name: functionName === '' ? '(anonymous)' : functionName, place, kind, us: 0 };
    sum.us += us;
    sums.set(key, sum);
  }
  return [...sums.values()].sort((a, b) => b.us - a.us);
}

/**
 * What a service did in a window of time. Its sources are among the frames of its process; a process that only asked them for
 * something before has none of its samples there.
 * @throws Error where nothing was sampled
 */
export function timesOf(
  service: string,
  profiles: readonly CpuProfile[],
  fromUs: number,
  toUs: number,
): readonly SelfTime[] {
  const sum = (times: readonly SelfTime[]) => times.reduce((us, time) => us + time.us, 0);
  const found = profiles.filter(({ nodes }) =>
    nodes.some(({ callFrame }) => callFrame.url.includes(`/services/${service}/src/`)),
  );
  const [most] = found.map((profile) => selfTimes(profile, fromUs, toUs)).sort((a, b) => sum(b) - sum(a));
  if (most === undefined || most.length === 0) throw new Error(`the process of ${service} left no profile`);
  return most;
}

function samplesWithin(profile: CpuProfile, fromUs: number, toUs: number): Map<number, number> {
  const found = new Map<number, number>();
  let now = profile.startTime;
  profile.samples.forEach((id, index) => {
    const delta = profile.timeDeltas[index]!;
    now += delta;
    if (now >= fromUs && now <= toUs) found.set(id, (found.get(id) ?? 0) + delta);
  });
  return found;
}

/** The file of a function, or for the runtime's own of the nearest that called it. */
function nearestUrl(id: number, nodes: Map<number, ProfileNode>, parents: Map<number, number>): string {
  for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
    const { url } = nodes.get(at)!.callFrame;
    if (url !== '') return url;
  }
  return '';
}
