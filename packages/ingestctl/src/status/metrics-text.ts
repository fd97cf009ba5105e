/** What one read of /metrics said. */
export class MetricsText {
  readonly #samples: readonly { readonly name: string; readonly labels: string; readonly value: number }[];

  constructor(text: string) {
    const samples: { name: string; labels: string; value: number }[] = [];
    for (const line of text.split('\n')) {
      const match = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
      if (match !== null) samples.push({ name: match[1] ?? '', labels: match[2] ?? '', value: Number(match[3]) });
    }
    this.#samples = samples;
  }

  /** Sum over all labels; 0 where there is no such metric. */
  sum(name: string): number {
    return this.#samples.reduce((sum, sample) => (sample.name === name ? sum + sample.value : sum), 0);
  }

  /** A label of the first sample of a metric. */
  label(name: string, label: string): string | undefined {
    const found = this.#samples.find((sample) => sample.name === name);
    return new RegExp(`(?:^|,)${label}="((?:[^"\\\\]|\\\\.)*)"`).exec(found?.labels ?? '')?.[1];
  }
}
