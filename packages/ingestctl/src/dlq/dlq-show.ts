import { BlockRows } from '@weir/native';
import { protobufToJson } from '@weir/otlp';
import { tableLayouts } from '@weir/records';
import type { Context } from '../context.ts';
import { printable } from '../output.ts';
import { timeText } from '../times.ts';
import { openDlq } from './dlq-parts.ts';
import { type Letter, letterId, readLetters } from './letters.ts';
import { plainOf } from './raw-copy.ts';
import type { LetterState } from './redrive-book.ts';

const HEX_BYTES = 512;
const ROWS_SHOWN = 100;
/** A larger export as objects and text would take gigabytes. */
const JSON_BYTES_MAX = 16 * 1024 ** 2;

/** What is shown of a letter. */
interface ShownLetter {
  readonly id: string;
  readonly key: string;
  readonly state: LetterState;
  readonly reason: string;
  readonly message: string;
  readonly tenant: string;
  readonly signal: string;
  readonly items: number;
  readonly table?: string;
  readonly source: {
    readonly topic: string;
    readonly partition: number;
    readonly offset: number;
    readonly index: number;
  };
  readonly firstSeen: string;
  readonly bytes: number;
  readonly encoding: string;
  /** As OTLP/JSON, where it is an export. */
  readonly export?: object;
  /** Column by column, where it is rows that ClickHouse refused: the first of them. */
  readonly rows?: readonly object[];
  readonly rowsNotShown?: number;
  /** Else its first bytes, decompressed where that can be, and why. */
  readonly firstBytes?: string;
  readonly undecoded?: string;
}

/** Shows one letter with its bytes decoded. Status 1 where there is none of that name. */
export async function dlqShow(context: Context, id: string, signal: AbortSignal): Promise<number> {
  const { log, journal } = await openDlq(context, signal);
  for await (const letter of readLetters(log, signal)) {
    if (letterId(letter) !== id && letter.key !== id) continue;
    const shown = showLetter(letter, journal.book.letter(letter.key));
    const text = JSON.stringify(shown, null, 2);
    // JSON escapes what is below space; what else may move a cursor is made harmless line by line.
    const lines = context.options.json === true ? text : text.split('\n').map(printable).join('\n');
    context.outside.out(`${lines}\n`);
    return 0;
  }
  context.outside.err('there is no such letter; ingestctl dlq list --letters has their ids\n');
  return 1;
}

/** A letter for somebody to read; whatever its bytes are. */
export function showLetter(letter: Letter, state: LetterState): ShownLetter {
  const { reason, message, tenant, signal, items, table, firstSeenNs } = letter.meta;
  const { sourceTopic: topic, sourcePartition: partition, sourceOffset: offset, sourceIndex: index } = letter.meta;
  const { encoding, body } = plainOf(letter);
  return {
    id: letterId(letter),
    key: letter.key,
    state,
    reason,
    message,
    tenant,
    signal,
    items,
    ...(table === undefined ? {} : { table }),
    source: { topic, partition, offset, index },
    firstSeen: timeText(firstSeenNs),
    bytes: letter.value.length,
    encoding,
    ...decoded(letter, body),
  };
}

function decoded({ meta, value }: Letter, body: Buffer | undefined): Partial<ShownLetter> {
  const firstBytes = (body ?? value).subarray(0, HEX_BYTES).toString('hex');
  if (body === undefined) return { firstBytes, undecoded: 'it cannot be decompressed' };
  if (body.length > JSON_BYTES_MAX) return { firstBytes, undecoded: `it has ${body.length} bytes` };
  if (meta.table !== undefined) {
    const block = BlockRows.readAny(body, tableLayouts(meta.table));
    if (block === undefined) return { firstBytes, undecoded: `its rows have not the columns of ${meta.table}` };
    const shown = Math.min(ROWS_SHOWN, block.count);
    return { rows: Array.from({ length: shown }, (_, at) => block.row(at)), rowsNotShown: block.count - shown };
  }
  // Of a record that could not be read the signal is not known either.
  const export_ = meta.tenant === '' ? undefined : protobufToJson(meta.signal, body);
  return export_ === undefined ? { firstBytes, undecoded: 'it is not an export of OTLP' } : { export: export_ };
}
