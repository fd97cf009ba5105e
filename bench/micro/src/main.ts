import { readCommandLine } from '@weir/testkit';
import { FULL, QUICK } from './measure.ts';
import { scanReport } from './scan.ts';
import { transcodeReport } from './transcode.ts';
import { insertReport } from './transcode-insert.ts';

const HELP = `Speed of the hot path on one core: scan (edge), transcode (normalizer), insert (ClickHouse).

  npm run micro [-- --quick]

  --quick   shorter rounds and no inserts: about 10 s
`;

const values = readCommandLine({ quick: { type: 'boolean', default: false } }, HELP);
const print = (lines: readonly string[]) => process.stdout.write(`${lines.join('\n')}\n`);
const options = values.quick ? QUICK : FULL;
print(scanReport(options));
print(transcodeReport(options));
if (!values.quick) print(await insertReport());
