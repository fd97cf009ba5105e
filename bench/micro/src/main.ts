import { transcodeReport } from './transcode.ts';
import { insertReport } from './transcode-insert.ts';

for (const text of transcodeReport()) process.stdout.write(`${text}\n`);
for (const text of await insertReport()) process.stdout.write(`${text}\n`);
