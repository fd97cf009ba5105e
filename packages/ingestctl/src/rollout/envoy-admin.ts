import { type Clock, DependencyError } from '@weir/pipeline';
import { request } from 'undici';

const ANSWER_MS = 2_000;
const POLL_MS = 100;

interface ConfigDump {
  readonly configs?: readonly {
    readonly version_info?: string;
    readonly route_config?: { readonly name?: string };
    readonly error_state?: { readonly details?: string };
  }[];
}

/** What an Envoy says of its routes. */
export interface TakenRoutes {
  /** Empty where the file names none. */
  readonly version: string;
  /** Why it refused a newer file. */
  readonly refused?: string;
}

/** Asks an Envoy which routes it has. @throws DependencyError */
export async function takenRoutes(admin: string): Promise<TakenRoutes> {
  try {
    const { statusCode, body } = await request(`${admin}/config_dump?resource=dynamic_route_configs`, {
      headersTimeout: ANSWER_MS,
      bodyTimeout: ANSWER_MS,
    });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`it answers ${statusCode}`);
    const all = (JSON.parse(text) as ConfigDump).configs ?? [];
    const own = all.find(({ route_config }) => route_config?.name === 'otlp');
    if (own === undefined) throw new Error('it has no routes of the name otlp');
    const refused = own.error_state?.details;
    return { version: own.version_info ?? '', ...(refused === undefined ? {} : { refused }) };
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new DependencyError('envoy', 'unavailable', `Envoy at ${admin}: ${said}`, { retryable: true, cause: error });
  }
}

/** Waits until an Envoy has the routes of a version, or refuses them; what it has when the time is over is returned. */
export async function untilTaken(
  admin: string,
  version: string,
  clock: Clock,
  waitMs: number,
  signal: AbortSignal,
): Promise<TakenRoutes> {
  for (const untilMs = clock.nowMs() + waitMs; ; ) {
    const taken = await takenRoutes(admin);
    if (taken.version === version || taken.refused !== undefined || clock.nowMs() >= untilMs) return taken;
    await clock.sleep(POLL_MS, signal);
  }
}
