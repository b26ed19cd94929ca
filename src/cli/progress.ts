import { Presets, SingleBar } from 'cli-progress';

/** A bar on standard error if that is a terminal and the size is known; else nothing. */
export class Progress {
  readonly #bar: SingleBar | undefined;

  constructor(what: string, total: number | undefined) {
    if (total === undefined || process.stderr.isTTY !== true) return;
    const format = `${what} {bar} {percentage} % {duration_formatted}`;
    this.#bar = new SingleBar({ format, clearOnComplete: true }, Presets.shades_classic);
    this.#bar.start(total, 0);
  }

  update(done: number): void {
    this.#bar?.update(done);
  }

  /** Takes the bar away. */
  stop(): void {
    this.#bar?.stop();
  }
}
