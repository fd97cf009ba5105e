import { spawn } from 'node:child_process';
import { ROOT } from '@weir/local';
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
    const ran = await this.unrecorded(...words);
    this.#commands.push(ran);
    const status = ran.status === 0 ? '' : `\n(exit status ${ran.status})`;
    const out = ran.out.trimEnd();
    this.block('console', `# ${at}\n$ ${ran.line}\n${out}${status}`);
    return ran;
  }

  /** The same for a check of the program's own. */
  async unrecorded(...words: string[]): Promise<Ran> {
    const startedMs = performance.now();
    const { status, out } = await run(['packages/ingestctl/src/main.ts', '--data-dir', this.#stack.dataDir, ...words]);
    const seconds = (performance.now() - startedMs) / 1_000;
    return { line: ['ingestctl', ...words].join(' '), status, out, seconds };
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

/** Runs a source of the checkout; what it prints to standard output and error comes together, as on a terminal. */
function run(args: readonly string[]): Promise<{ status: number; out: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        out += text;
      });
    }
    child.once('error', reject);
    child.once('close', (code) => resolve({ status: code ?? -1, out }));
  });
}
