import { type Context, UsageError } from './context.ts';

/** Whether the operator wants it. @throws UsageError where nobody can be asked */
export async function agreed(context: Context, yes: boolean | undefined, question: string): Promise<boolean> {
  if (yes === true) return true;
  const { ask } = context.outside;
  if (ask === undefined || context.options.json === true) throw new UsageError('there is nobody to ask: say --yes');
  return ask(question);
}
