import { execFileSync } from 'node:child_process';
import { ROOT } from '@weir/local';

const DIRTY = '-dirty';

/** The newest commit that changed more than results or docs, with `-dirty` where files differ from it. */
export function currentCommit(): string {
  const paths = ['--', '.', ':!bench/results', ':!docs'];
  const git = (...args: string[]) => execFileSync('git', [...args, ...paths], { cwd: ROOT, encoding: 'utf8' }).trim();
  return git('log', '-1', '--format=%h') + (git('status', '--porcelain') === '' ? '' : DIRTY);
}

/** Whether files differed from what the commit has. */
export function isDirty(commit: string): boolean {
  return commit.endsWith(DIRTY);
}
