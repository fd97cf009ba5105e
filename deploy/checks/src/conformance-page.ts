import { CONFORMANCE_TABLES } from './conformance-rows.ts';

/** One test of a row. */
export interface RowTest {
  readonly table: (typeof CONFORMANCE_TABLES)[number]['prefix'];
  readonly row: number;
  readonly transport: string;
  /** The edge's own port, or through Envoy. */
  readonly place: string;
  readonly behaviour: string;
}

/** One test of a row, and whether it passed. */
export interface RowResult extends RowTest {
  readonly passed: boolean;
}

const TITLE = /(conformance|bad input) (\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+)$/;

/** The row test that a title is of; undefined for every other test. */
export function rowTestOf(title: string): RowTest | undefined {
  const [, table, row, transport = '', place = '', behaviour = ''] = TITLE.exec(title) ?? [];
  if (table !== 'conformance' && table !== 'bad input') return undefined;
  return { table, row: Number(row), transport, place, behaviour };
}

const INTRODUCTION = `# Conformance

<!-- Written by \`npm run conformance\` from the results of the tests. A test compares the lists. -->

What the tests say about each row of the two tables that Weir is held to: OTLP 1.11 as clients rely on it, and bad input with the answer
to it. A cell says where the behaviour was tested over that transport and passed: on the \`edge\`'s own port, or through \`Envoy\`.
Where a cell is empty the behaviour does not apply to the transport, or cannot differ there.
`;
const FAILS = ' **fails**';

/** docs/CONFORMANCE.md, whole. */
export function renderConformancePage(results: readonly RowResult[]): string {
  const sections = CONFORMANCE_TABLES.map(({ prefix, heading, rows }) => {
    const parts = rows.map((text, at) => {
      const own = results.filter(({ table, row }) => table === prefix && row === at + 1);
      return `### ${at + 1}. ${text}\n\n${own.length === 0 ? 'No test.\n' : renderRow(own)}`;
    });
    return `## ${heading}\n\n${parts.join('\n')}`;
  });
  return [INTRODUCTION, ...sections].join('\n');
}

function renderRow(results: readonly RowResult[]): string {
  const transports = [...new Set(results.map(({ transport }) => transport))].sort(byOrder);
  const behaviours = [...new Set(results.map(({ behaviour }) => behaviour))];
  const lines = behaviours.map((behaviour) => {
    const cells = transports.map((transport) =>
      results
        .filter((result) => result.behaviour === behaviour && result.transport === transport)
        .map(({ place, passed }) => `${place}${passed ? '' : FAILS}`)
        .sort(byOrder)
        .join(', '),
    );
    return `| ${[behaviour, ...cells].join(' | ')} |\n`;
  });
  return `| behaviour | ${transports.join(' | ')} |\n|${'---|'.repeat(transports.length + 1)}\n${lines.join('')}`;
}

const ORDER = ['HTTP/protobuf', 'HTTP/JSON', 'gRPC', 'edge', 'Envoy'];

/** Known names first, in their order. */
function byOrder(left: string, right: string): number {
  const place = (name: string) => (ORDER.indexOf(name) + ORDER.length + 1) % (ORDER.length + 1);
  return place(left) - place(right) || left.localeCompare(right);
}

/** What a page says: the inverse of {@link renderConformancePage}. */
export function parseConformancePage(text: string): RowResult[] {
  const found: RowResult[] = [];
  let table: RowTest['table'] | undefined;
  let row = 0;
  let transports: string[] | undefined;
  for (const line of text.split('\n')) {
    const heading = CONFORMANCE_TABLES.find((each) => line === `## ${each.heading}`);
    if (heading !== undefined) table = heading.prefix;
    const numbered = /^### (\d+)\. /.exec(line);
    if (numbered !== null) {
      row = Number(numbered[1]);
      transports = undefined;
    }
    if (table === undefined || !line.startsWith('| ')) continue;
    const [behaviour = '', ...cells] = line.slice(2, -2).split(' | ');
    if (transports === undefined) {
      transports = cells;
      continue;
    }
    for (const [at, cell] of cells.entries()) {
      for (const each of cell.split(', ').filter((place) => place.trim() !== '')) {
        const passed = !each.endsWith(FAILS);
        const place = passed ? each : each.slice(0, -FAILS.length);
        found.push({ table, row, transport: transports[at] ?? '', place, behaviour, passed });
      }
    }
  }
  return found;
}
