import { pause } from '@weir/testkit';

const POLL_MS = 50;

/** Asks until it is so. @throws after the time, saying what was waited for */
export async function until(what: string, isSo: () => Promise<boolean> | boolean, timeoutMs = 30_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs / 1_000} s: ${what}`);
    await pause(POLL_MS);
  }
}

/** @throws with the message where it is not so */
export function expectThat(isSo: boolean, message: string): void {
  if (!isSo) throw new Error(message);
}
