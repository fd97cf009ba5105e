/**
 * Undoes one after the other, and goes on where one throws.
 * @throws once all were tried, what one of them threw, or an AggregateError of all that was thrown
 */
export async function undoAll(undos: readonly (() => unknown)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const undo of undos) {
    try {
      await undo();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, errors.map(String).join('; '));
}
