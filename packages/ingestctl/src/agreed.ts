import { type Context, UsageError } from './context.ts';

/** Whether the operator wants it. @throws UsageError where nobody can be asked */
export async function agreed(context: Context, yes: boolean | undefined, question: string): Promise<boolean> {
  if (yes === true) return true;
  checkAskable(context, yes);
  if (await context.outside.ask?.(question)) return true;
  context.outside.err('nothing was done\n');
  return false;
}

/** Before what takes long. @throws UsageError where the operator has not said yes, and cannot be asked later */
export function checkAskable({ outside, options }: Context, yes: boolean | undefined): void {
  if (yes === true || (outside.ask !== undefined && options.json !== true)) return;
  throw new UsageError(
    `there is nobody to ask, ${options.json === true ? 'with --json' : 'without a terminal'}: say --yes`,
  );
}
