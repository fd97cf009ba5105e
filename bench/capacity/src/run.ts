import type { TestStack } from '@weir/testkit';
import type { CapacityStack } from './capacity-stack.ts';
import { measurePoint, type PointSpec } from './measure-point.ts';
import type { CapacityOptions } from './options.ts';
import type { PointResult } from './point.ts';
import { type CapacityFile, highestSustained, keptPoint, withPoint } from './result-file.ts';

const WARM_UP_RATE = 20_000;

/** A point as a part asks for it. */
export interface Wanted extends Omit<PointSpec, 'commit' | 'behind'> {
  /** Done once the stack runs. */
  readonly prepare?: (stack: TestStack) => Promise<void>;
  readonly behindOf?: (stack: TestStack) => NonNullable<PointSpec['behind']>;
}

/** One run of the program: measures points, and keeps each as soon as it is there. */
export class Run {
  readonly options: CapacityOptions;
  readonly #commit: string;
  readonly #stacks: CapacityStack;
  /** For how long the present stack has been loaded. */
  #loadedS = 0;
  readonly #keep: (file: CapacityFile) => void;
  readonly #say: (part: string, point: PointResult) => void;
  #file: CapacityFile;

  constructor(
    file: CapacityFile,
    stacks: CapacityStack,
    own: {
      readonly options: CapacityOptions;
      readonly commit: string;
      readonly keep: (file: CapacityFile) => void;
      readonly say: (part: string, point: PointResult) => void;
    },
  ) {
    this.#file = file;
    this.#stacks = stacks;
    this.options = own.options;
    this.#commit = own.commit;
    this.#keep = own.keep;
    this.#say = own.say;
  }

  get file(): CapacityFile {
    return this.#file;
  }

  /** The highest sustained rate. @throws Error where none is known */
  get peak(): number {
    const peak = this.options.peak ?? highestSustained(this.#file);
    if (peak > 0) return peak;
    throw new Error('no highest sustained rate is kept: run --part rate before, or give --rate and --peak');
  }

  /** At which costs are compared. @throws Error where none is known */
  get rate(): number {
    return this.options.rate ?? Math.round(this.peak / 2);
  }

  /** Measures a point; with --resume one that is kept is not measured again. */
  async measure(part: string, { prepare, behindOf, ...wanted }: Wanted): Promise<PointResult> {
    const spec = { ...wanted, commit: this.#commit };
    const kept = this.options.resume ? keptPoint(this.#file, part, spec, this.options.warmUpSeconds) : undefined;
    if (kept !== undefined) return kept;
    const { stack, fresh } = await this.#stacks.get(spec.stack);
    if (fresh) {
      // What is compiled while it runs is not what a million items cost.
      const seconds = this.options.warmUpSeconds;
      if (seconds > 0) {
        const load = { ...spec.load, seconds, rate: Math.min(spec.load.rate, WARM_UP_RATE) };
        await measurePoint(stack, { ...spec, load });
      }
      this.#loadedS = seconds;
    }
    await prepare?.(stack);
    const measured = await measurePoint(stack, behindOf === undefined ? spec : { ...spec, behind: behindOf(stack) });
    const point = { ...measured, loadedBeforeS: this.#loadedS };
    this.#loadedS += spec.load.seconds;
    this.#file = withPoint(this.#file, part, point);
    this.#keep(this.#file);
    this.#say(part, point);
    return point;
  }
}
