import type { Campaign } from './campaign.ts';
import type { Target } from './target.ts';
export function renderReport(_targets: readonly Target[], _done: readonly Campaign[]): string {
  return '';
}
