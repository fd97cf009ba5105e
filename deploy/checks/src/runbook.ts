/**
 * What the code blocks of an entry hold, a line each: comments and empty lines left out. `bash` is for tools that are Kafka's
 * own, which are not there where the runbook is tested.
 */
export type Blocks = Readonly<Record<'sh' | 'promql' | 'sql' | 'bash', readonly string[]>>;

/** One entry of docs/RUNBOOK.md: of an alert, or an incident. */
export interface RunbookEntry {
  readonly name: string;
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

/** The page: entries of alerts, each a section named for it, and under `Incidents` those that take an operator's hands. */
export interface Runbook {
  readonly alerts: readonly RunbookEntry[];
  readonly incidents: readonly RunbookEntry[];
}

/** Reads the page. */
export function readRunbook(page: string): Runbook {
  const [alerts = '', incidents = ''] = page.split(/^## Incidents$/m);
  return { alerts: entriesOf(alerts, /^## /m), incidents: entriesOf(incidents, /^### /m) };
}

function entriesOf(text: string, heading: RegExp): RunbookEntry[] {
  return text
    .split(heading)
    .slice(1)
    .map((section) => ({
      name: section.split('\n', 1)[0]!.trim(),
      parts: [...section.matchAll(/^\*\*(.+?)\*\*/gm)].map((match) => match[1]!),
      blocks: {
        sh: linesOf(section, 'sh'),
        promql: linesOf(section, 'promql'),
        sql: linesOf(section, 'sql'),
        bash: linesOf(section, 'bash'),
      },
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
