import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { docsPages } from './docs-pages.ts';
import { REPOSITORY } from './tool-cache.ts';

for (const page of docsPages()) await writeFile(join(REPOSITORY, page.path), page.text);
