/**
 * The one shape that stages are chained by: it takes an item, and what it returns says what became of it.
 *
 * @typeParam T what goes in; ownership passes with the call
 * @typeParam R what became of it: resolved only after the stage below has answered
 */
export interface Consumer<T, R> {
  /**
   * Takes one item. Bad input is an answer in `R`, never a throw; a throw is a broken dependency or invariant.
   * When `signal` aborts, the call settles soon; what was already handed on may still become durable.
   */
  consume(item: T, signal: AbortSignal): Promise<R>;
}
