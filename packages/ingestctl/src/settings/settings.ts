import { type ConfigOf, type ConfigSource, type ConfigSpec, loadConfig, settingsOf } from '@weir/process';
import { type GlobalOptions, type Outside, UsageError } from '../outside.ts';
import { type ConfigFile, FILE_KEYS } from './config-file.ts';
import type { LocalStack } from './local-stack.ts';

type Values = Readonly<Record<string, string | undefined>>;

/** One place that says something, in the words of the environment. */
interface Layer {
  /** The place, as the user knows it. */
  readonly from: (variable: string) => string;
  readonly values: Values;
}

/** Options that say what a variable says. */
const OPTIONS = {
  WEIR_KAFKA_BROKERS: 'brokers',
  WEIR_CLICKHOUSE_URL: 'clickhouse',
  WEIR_CLICKHOUSE_DATABASE: 'database',
  WEIR_CLICKHOUSE_CLUSTER: 'cluster',
} as const;

const KEY_OF = new Map<string, string>(Object.entries(FILE_KEYS).map(([key, variable]) => [variable, key]));

/** What was found for one variable. */
export interface Found {
  readonly from: string;
  readonly text?: string;
  /** In place of the text: the file that holds it. */
  readonly file?: string;
}

/** Options before the environment, before the configuration file, before a local stack. */
export class Settings {
  readonly #layers: readonly Layer[];
  readonly #readFile: ConfigSource['readFile'];
  readonly #file: ConfigFile | undefined;

  constructor(outside: Outside, options: GlobalOptions, file: ConfigFile | undefined, local: LocalStack | undefined) {
    this.#readFile = outside.readFile;
    this.#file = file;
    const option = (variable: string) => OPTIONS[variable as keyof typeof OPTIONS];
    const given = Object.entries(OPTIONS).map(([variable, name]) => [variable, options[name]]);
    const own: Layer[] = [
      { from: (variable) => `--${option(variable)}`, values: Object.fromEntries(given) as Values },
      { from: (variable) => variable, values: outside.env },
      { from: (variable) => `${file?.path}: ${KEY_OF.get(variable)}`, values: file?.values ?? {} },
    ];
    const from = () => local?.path ?? '';
    // Its user and password are for its own brokers alone.
    const elsewhere = own.some(({ values }) => values.WEIR_KAFKA_BROKERS);
    this.#layers = [...own, { from, values: { ...(elsewhere ? {} : local?.kafka), ...local?.clickhouse } }];
  }

  /** The highest place that says something about a variable; a secret's text and its file are one thing. */
  find(variable: string, secret = false): Found | undefined {
    for (const { from, values } of this.#layers) {
      const [text, file] = [values[variable] || undefined, (secret && values[`${variable}_FILE`]) || undefined];
      if (text !== undefined && file !== undefined)
        throw new UsageError(`set ${variable} or ${variable}_FILE, not both`);
      if (text !== undefined) return { from: from(variable), text };
      if (file !== undefined) return { from: from(`${variable}_FILE`), file };
    }
    return undefined;
  }

  /** @throws UsageError where the secret's file cannot be read */
  secret(variable: string): string | undefined {
    const found = this.find(variable, true);
    if (found?.file === undefined) return found?.text?.trimEnd() || undefined;
    try {
      return this.#readFile(found.file).trimEnd() || undefined;
    } catch {
      throw new UsageError(`${found.file}, which ${this.#nameOf(`${variable}_FILE`)} names, cannot be read`);
    }
  }

  /** A group of settings as the services read theirs. @throws UsageError with all faults in one line */
  load<T extends ConfigSpec>(
    spec: T,
    faultsBetween: (config: ConfigOf<T>, source: ConfigSource) => readonly string[],
  ): ConfigOf<T> {
    const env: Record<string, string> = {};
    for (const { env: variable, secret } of settingsOf(spec)) {
      const value = secret ? this.secret(variable) : this.find(variable)?.text;
      if (value !== undefined) env[variable] = value;
    }
    const loaded = loadConfig(spec, { env, readFile: this.#readFile }, faultsBetween);
    if (loaded.ok) return loaded.config;
    throw new UsageError(loaded.faults.join('; ').replace(/WEIR_[A-Z_]+/g, (name) => this.#nameOf(name)));
  }

  /** A variable as the user wrote it: by its key, where the file says it. */
  #nameOf(variable: string): string {
    const key = KEY_OF.get(variable);
    if (key === undefined || this.#file?.values[variable] === undefined) return variable;
    return this.find(variable)?.text === this.#file.values[variable] ? `${this.#file.path}: ${key}` : variable;
  }
}
