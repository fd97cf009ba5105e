/** What a code block of the runbook holds, a line each: comments and empty lines left out. */
export type Blocks = Readonly<Record<'sh' | 'promql', readonly string[]>>;

/** One entry of docs/RUNBOOK.md. */
export interface RunbookEntry {
  readonly alert: string;
  /** The bold words that its paragraphs begin with, in order. */
  readonly parts: readonly string[];
  readonly blocks: Blocks;
}

/** What each entry answers, in this order. */
export const RUNBOOK_PARTS = [
  'What it means.',
  'How to see it.',
  'What to do.',
  'How to know that it is over.',
] as const;

/** The entries of the page; each is a section named for its alert. */
export function readRunbook(page: string): RunbookEntry[] {
  return page
    .split(/^## /m)
    .slice(1)
    .map((section) => ({
      alert: section.split('\n', 1)[0]!.trim(),
      parts: [...section.matchAll(/^\*\*(.+?)\*\*/gm)].map((match) => match[1]!),
      blocks: { sh: linesOf(section, 'sh'), promql: linesOf(section, 'promql') },
    }));
}

/** What the `sh` blocks of a page hold, a line each. */
export function shellLines(page: string): string[] {
  return linesOf(page, 'sh');
}

function linesOf(section: string, language: string): string[] {
  const blocks = [...section.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))];
  return blocks.flatMap((block) => block[1]!.split('\n')).filter((line) => line !== '' && !line.startsWith('#'));
}
