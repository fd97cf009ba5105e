import { z } from 'zod';

/** One setting: its environment variable, the schema that turns the variable's text into a value, and its help line. */
export interface Setting<S extends z.ZodType = z.ZodType> {
  readonly kind: 'setting';
  readonly env: string;
  readonly schema: S;
  readonly help: string;
  /** A secret is never printed, and may come from the file that `<ENV>_FILE` names. */
  readonly secret: boolean;
}

/** A service's configuration: settings, nested as the code reads them. */
export interface ConfigSpec {
  readonly [name: string]: Setting | ConfigSpec;
}

/** The frozen value that {@link loadConfig} makes of a spec. */
export type ConfigOf<T extends ConfigSpec> = {
  readonly [K in keyof T]: T[K] extends Setting<infer S>
    ? z.output<S>
    : T[K] extends ConfigSpec
      ? ConfigOf<T[K]>
      : never;
};

/** The environment, and how a secret's file is read (it throws where the file cannot be read). */
export interface ConfigSource {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readFile: (path: string) => string;
}

export type LoadedConfig<T extends ConfigSpec> =
  | { readonly ok: true; readonly config: ConfigOf<T> }
  | { readonly ok: false; readonly faults: readonly string[] };

/** Declares one setting. */
export function setting<S extends z.ZodType>(
  env: string,
  schema: S,
  help: string,
  options: { readonly secret?: boolean } = {},
): Setting<S> {
  return { kind: 'setting', env, schema, help, secret: options.secret ?? false };
}

/** Declares a configuration; only fixes its type. */
export function defineConfig<const T extends ConfigSpec>(spec: T): T {
  return spec;
}

function isSetting(value: Setting | ConfigSpec): value is Setting {
  return value.kind === 'setting';
}

/** Every setting of a spec, in order. */
export function settingsOf(spec: ConfigSpec): Setting[] {
  return Object.values(spec).flatMap((entry) => (isSetting(entry) ? [entry] : settingsOf(entry)));
}

/**
 * Reads a whole configuration; all faults are reported at once, each naming its variable.
 *
 * @param faultsBetween faults between settings each of which is good alone
 */
export function loadConfig<T extends ConfigSpec>(
  spec: T,
  source: ConfigSource,
  faultsBetween: (config: ConfigOf<T>, source: ConfigSource) => readonly string[] = () => [],
): LoadedConfig<T> {
  const faults: string[] = [];
  const config = read(spec, source, faults) as ConfigOf<T>;
  if (faults.length === 0) faults.push(...faultsBetween(config, source));
  return faults.length === 0 ? { ok: true, config } : { ok: false, faults };
}

function read(spec: ConfigSpec, source: ConfigSource, faults: string[]): object {
  const entries = Object.entries(spec).map(([name, entry]) => [
    name,
    isSetting(entry) ? readSetting(entry, source, faults) : read(entry, source, faults),
  ]);
  return Object.freeze(Object.fromEntries(entries));
}

function readSetting(entry: Setting, source: ConfigSource, faults: string[]): unknown {
  const text = readText(entry, source, faults);
  const parsed = entry.schema.safeParse(text === '' ? undefined : text);
  if (parsed.success) return parsed.data;
  const reasons = parsed.error.issues.map((issue) => issue.message).join('; ');
  faults.push(`${entry.env}: ${text === undefined ? 'is required' : reasons}`);
  return undefined;
}

function readText(entry: Setting, source: ConfigSource, faults: string[]): string | undefined {
  const text = source.env[entry.env];
  const file = entry.secret ? source.env[`${entry.env}_FILE`] : undefined;
  if (file === undefined || file === '') return text;
  if (text !== undefined && text !== '') faults.push(`${entry.env}: set it or ${entry.env}_FILE, not both`);
  try {
    return source.readFile(file).trimEnd();
  } catch {
    faults.push(`${entry.env}_FILE: the file cannot be read`);
    return undefined;
  }
}

/** The settings as a table for `--help` and for the docs. */
export function describeConfig(spec: ConfigSpec): { env: string; help: string; default: string }[] {
  return settingsOf(spec).map((entry) => ({ env: entry.env, help: entry.help, default: defaultOf(entry) }));
}

function defaultOf(entry: Setting): string {
  const parsed = entry.schema.safeParse(undefined);
  if (!parsed.success) return 'required';
  if (parsed.data === undefined) return 'unset';
  if (entry.secret) return 'secret';
  return defaultText(entry.schema);
}

/** The default as the operator would write it (`64MiB`), not as the code holds it. */
function defaultText(schema: z.ZodType): string {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) return String(schema.def.defaultValue);
  if (schema instanceof z.ZodPipe && schema.def.in instanceof z.ZodType) return defaultText(schema.def.in);
  return String(schema.safeParse(undefined).data);
}
