import { transcodeReport } from './transcode.ts';

for (const text of transcodeReport()) process.stdout.write(`${text}\n`);
