import { createHash } from 'node:crypto';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { UsageError } from '../context.ts';

/** What the routes of a shifted tenant are marked with. */
const ROLLOUT = 'weir.rollout';
const VERSION_HEADER = 'x-ingest-version';

const shiftMark = z.strictObject({
  tenant: z.string(),
  to: z.string(),
  percent: z.number().int().min(1).max(100),
  prefix: z.string().regex(/^[0-9a-z]{8}$/),
});

const route = z.looseObject({
  name: z.string(),
  match: z.looseObject({ prefix: z.string() }),
  route: z.looseObject({ cluster: z.string() }),
  metadata: z.looseObject({ filter_metadata: z.looseObject({ [ROLLOUT]: shiftMark.optional() }) }).optional(),
});

const routesFile = z.looseObject({
  resources: z.tuple([
    z.looseObject({
      '@type': z.literal('type.googleapis.com/envoy.config.route.v3.RouteConfiguration'),
      name: z.literal('otlp'),
      virtual_hosts: z.tuple([z.looseObject({ routes: z.array(route).min(2) })]),
    }),
  ]),
});

type Route = z.infer<typeof route>;

/** Envoy's routes (deploy/envoy/routes/otlp.yaml), as far as they are looked at. */
export type RoutesFile = z.infer<typeof routesFile>;

/** A tenant, some of whose exports go to another track. */
export interface Shift {
  readonly tenant: string;
  readonly to: string;
  /** 1 to 100. */
  readonly percent: number;
  /** Public prefixes of the keys that are shifted. */
  readonly prefixes: readonly string[];
}

/** @throws UsageError where the text is not a file of routes */
export function parseRoutes(path: string, text: string): RoutesFile {
  let content: unknown;
  try {
    content = parse(text);
  } catch {
    throw new UsageError(`${path} is not YAML`);
  }
  const parsed = routesFile.safeParse(content);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new UsageError(`${path} is not Envoy's file of routes: ${issue?.path.join('.')}: ${issue?.message}`);
}

/** The tenants that are shifted, by name. */
export function shiftsIn(file: RoutesFile): readonly Shift[] {
  const shifts = new Map<string, { tenant: string; to: string; percent: number; prefixes: Set<string> }>();
  for (const one of routesOf(file)) {
    const mark = markOf(one);
    if (mark === undefined) continue;
    const { tenant, to, percent, prefix } = mark;
    const shift = shifts.get(tenant) ?? { tenant, to, percent, prefixes: new Set() };
    shifts.set(tenant, shift);
    shift.prefixes.add(prefix);
  }
  const all = [...shifts.values()].toSorted((a, b) => (a.tenant < b.tenant ? -1 : 1));
  return all.map((shift) => ({ ...shift, prefixes: [...shift.prefixes] }));
}

/** Tracks that the file has routes to; the last one is where everything goes that names none. */
export function tracksIn(file: RoutesFile): readonly string[] {
  const names = routesOf(file)
    .filter((one) => markOf(one) === undefined)
    .map(({ name }) => name);
  const tracks = new Set(names.map((name) => name.replace(/-(grpc|http)$/, '')));
  return [...tracks].filter((track) => names.includes(`${track}-grpc`) && names.includes(`${track}-http`));
}

/** The file with just these tenants shifted. */
export function withShifts(file: RoutesFile, shifts: readonly Shift[]): RoutesFile {
  const own = routesOf(file).filter((one) => markOf(one) === undefined);
  const last = tracksIn(file).at(-1);
  // Behind the routes for clients that say themselves where they go, before those for all others.
  const at = own.findIndex(({ name }) => name === `${last}-grpc` || name === `${last}-http`);
  const shifted = shifts.flatMap((shift) => routesFor(own, shift));
  const routes = [...own.slice(0, at), ...shifted, ...own.slice(at)];
  const [resource] = file.resources;
  const [host] = resource.virtual_hosts;
  return { ...file, resources: [{ ...resource, virtual_hosts: [{ ...host, routes }] }] };
}

/** The file as it is written; its version says what is in it, so that Envoy can be asked whether it has just this. */
export function renderRoutes(file: RoutesFile): { readonly text: string; readonly version: string } {
  const { version_info: _old, ...content } = file;
  const body = stringify(content, { aliasDuplicateObjects: false, lineWidth: 0 });
  const version = createHash('sha256').update(body).digest('hex').slice(0, 16);
  return { text: `version_info: "${version}"\n${body}`, version };
}

/** The version that a file says it has; a file that no rollout has written has none. */
export function versionOf(file: RoutesFile): string | undefined {
  return typeof file.version_info === 'string' ? file.version_info : undefined;
}

function routesOf(file: RoutesFile): readonly Route[] {
  return file.resources[0].virtual_hosts[0].routes;
}

function markOf({ metadata }: Route): z.infer<typeof shiftMark> | undefined {
  return metadata?.filter_metadata[ROLLOUT];
}

/** For each key four: as it comes in either header, over gRPC and HTTP. Matching goes from route to route, so they are bounded. */
function routesFor(own: readonly Route[], { tenant, to, percent, prefixes }: Shift): Route[] {
  return prefixes.flatMap((prefix) =>
    [`${to}-grpc`, `${to}-http`].flatMap((name) => {
      const base = own.find((one) => one.name === name);
      if (base === undefined) throw new UsageError(`there is no route ${name}`);
      return Object.entries({ authorization: 'Bearer ', 'x-api-key': '' }).map(([header, before]): Route => {
        const headers = [
          { name: VERSION_HEADER, present_match: true, invert_match: true },
          { name: header, string_match: { prefix: `${before}wk_${prefix}_`, ignore_case: true } },
        ];
        const part = { default_value: { numerator: percent, denominator: 'HUNDRED' } };
        const runtime = { runtime_fraction: { ...part, runtime_key: `weir.rollout.${tenant}` } };
        return {
          name: `${name}-${tenant}-${prefix}-${header}`,
          match: { ...base.match, headers, ...(percent === 100 ? {} : runtime) },
          route: base.route,
          request_headers_to_add: [
            { header: { key: VERSION_HEADER, value: to }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
          ],
          metadata: { filter_metadata: { [ROLLOUT]: { tenant, to, percent, prefix } } },
        };
      });
    }),
  );
}
