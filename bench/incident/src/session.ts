import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createProgram } from '@weir/ingestctl';
import type { TestStack } from '@weir/testkit';
import { request } from 'undici';

/** A command that was run: what was typed, what it printed, and its exit status. */
export interface Ran {
  readonly line: string;
  readonly status: number;
  readonly out: string;
  readonly seconds: number;
}

/** What an operator does and sees, written down as it happens. */
export class Session {
  readonly #stack: TestStack;
  readonly #print: (text: string) => void;
  readonly #parts: string[] = [];
  readonly #commands: Ran[] = [];

  constructor(stack: TestStack, print: (text: string) => void) {
    this.#stack = stack;
    this.#print = print;
  }

  get commands(): readonly Ran[] {
    return this.#commands;
  }

  get text(): string {
    return this.#parts.join('\n\n');
  }

  /** Begins a part of the session, with the time. */
  heading(text: string): void {
    this.#add(`### ${clock()} ${text}`);
  }

  say(text: string): void {
    this.#add(text);
  }

  block(language: string, text: string): void {
    this.#add(`\`\`\`${language}\n${text.trimEnd()}\n\`\`\``);
  }

  /** Runs ingestctl as the operator types it; what it prints is written down, whatever its exit status. */
  async ingestctl(...words: string[]): Promise<Ran> {
    const at = clock();
    const ran = await this.ask(...words);
    this.#commands.push(ran);
    const ended = ran.status === 0 ? '' : `\n(exit status ${ran.status})`;
    const out = ran.out.trimEnd().replaceAll(this.#stack.dataDir, 'DIR');
    const text = `# ${at}, ${ran.seconds.toFixed(1)} s\n$ ${ran.line}\n${out}${ended}`;
    this.block('console', text);
    return ran;
  }

  /** The same for what all that follows needs. @throws where it ends with another status than 0 */
  async done(...words: string[]): Promise<Ran> {
    const ran = await this.ingestctl(...words);
    if (ran.status !== 0) throw new Error(`${ran.line} ended with ${ran.status}: ${ran.out}`);
    return ran;
  }

  /** The same for the program's own use: nothing is written down. */
  async ask(...words: string[]): Promise<Ran> {
    const startedMs = performance.now();
    let out = '';
    const write = (text: string) => {
      out += text;
    };
    const program = createProgram({
      env: {},
      readFile: (path) => readFileSync(path, 'utf8'),
      writeFile: replaceFile,
      out: write,
      err: write,
      terminal: false,
    });
    const status = await program.run(['--data-dir', this.#stack.dataDir, ...words]);
    return { line: ['ingestctl', ...words].join(' '), status, out, seconds: (performance.now() - startedMs) / 1_000 };
  }

  /** Asks ClickHouse, and shows question and answer. */
  async query(sql: string): Promise<void> {
    const { url, database } = this.#stack.local.clickhouse;
    const plain = 'output_format_pretty_color=0&output_format_pretty_row_numbers=0';
    const { statusCode, body } = await request(`${url}/?database=${database}&default_format=PrettyCompact&${plain}`, {
      method: 'POST',
      body: sql,
    });
    const answer = await body.text();
    if (statusCode !== 200) throw new Error(answer);
    this.block('sql', sql);
    this.block('text', answer);
  }

  #add(part: string): void {
    this.#parts.push(part);
    this.#print(`${part}\n`);
  }
}

function clock(): string {
  return new Date().toISOString().slice(11, 19);
}

/** As a whole: Envoy follows the file. */
function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.next`, text);
  renameSync(`${path}.next`, path);
}
