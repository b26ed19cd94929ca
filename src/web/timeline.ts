import { type Intervals, type Schedule, SYSTEM_THREAD } from './schedule';
import { lengthOf, moved, point, type Span, spanOf, ticks, zoomed } from './span';

/** What the drawing needs to know of a thread, by its number in the schedule. */
export interface ThreadLook {
  readonly name: string;
  readonly colour: string;
}

/** A run under the pointer. */
export interface Pointed {
  readonly processor: number;
  readonly atNs: number;
  /** undefined: idle. */
  readonly run?: { readonly thread: number; readonly startNs: number; readonly endNs: number };
}

const GUTTER = 58;
const AXIS = 22;
/** Up to so many processors have lanes that can be told apart by eye. */
const LANES_WIDE = 128;
const CHOSEN_LANE = 29;
const LABEL_WIDTH = 34;

/** The height of a lane with the gap below it, px: the canvas of 2048 stays one that browsers can make. */
const pitchOf = (lanes: number) =>
  lanes > LANES_WIDE ? 4 : Math.max(11, Math.min(59, Math.floor(420 / lanes)));
const gapOf = (pitch: number) => (pitch < 11 ? 1 : 3);

/** Draws a schedule on a canvas, and lets its user move in it. */
export class Timeline {
  span: Span = { fromNs: 0, toNs: 1 };
  onChange: (() => void) | undefined;
  onPoint: ((pointed: Pointed | undefined) => void) | undefined;
  onPick: ((pointed: Pointed) => void) | undefined;
  #schedule: Schedule | undefined;
  #look: (thread: number) => ThreadLook = () => ({ name: '', colour: '#888' });
  #chosen: ((thread: number) => boolean) | undefined;
  #scheduled = false;

  constructor(private readonly canvas: HTMLCanvasElement) {
    new ResizeObserver(() => this.redraw()).observe(canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.redraw());
    this.#listenToPointer();
    canvas.addEventListener('keydown', (event) => this.#key(event));
  }

  /** Shows a schedule, the same part of it as of the one before. */
  show(schedule: Schedule, look: (thread: number) => ThreadLook): void {
    const before = this.#schedule?.endNs;
    this.#schedule = schedule;
    this.#look = look;
    const { fromNs, toNs } = this.span;
    const isWhole = before === undefined || toNs - fromNs >= before;
    this.move(spanOf(fromNs, isWhole ? schedule.endNs : toNs - fromNs, schedule.endNs));
  }

  /** Shows some threads only, and when they were ready; undefined: all. */
  choose(chosen: ((thread: number) => boolean) | undefined): void {
    this.#chosen = chosen;
    this.redraw();
  }

  /** Moves to where the chosen threads ran, unless some of that is shown already. */
  reveal(): void {
    const { fromNs, toNs } = this.span;
    let first = Number.POSITIVE_INFINITY;
    let last = 0;
    for (const lane of this.#schedule?.lanes ?? []) {
      for (let index = 0; index < lane.count; index++) {
        if (this.#chosen?.(lane.threads[index] as number) !== true) continue;
        const startNs = lane.startsNs[index] as number;
        const endNs = lane.endsNs[index] as number;
        if (startNs < toNs && endNs > fromNs) return;
        first = Math.min(first, startNs);
        last = Math.max(last, endNs);
      }
    }
    if (last > 0)
      this.move(
        zoomed(spanOf(first, last - first, this.endNs), 1.2, (first + last) / 2, this.endNs),
      );
  }

  get endNs(): number {
    return this.#schedule?.endNs ?? 1;
  }

  move(span: Span): void {
    this.span = span;
    this.onChange?.();
    this.redraw();
  }

  /** Zooms about the middle. */
  zoomTo(zoom: number): void {
    const { fromNs, toNs } = this.span;
    const length = lengthOf(zoom, this.endNs);
    this.move(spanOf((fromNs + toNs - length) / 2, length, this.endNs));
  }

  redraw(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#draw();
    });
  }

  #draw(): void {
    const schedule = this.#schedule;
    const context = this.canvas.getContext('2d');
    if (schedule === undefined || context === null) return;
    const pitch = pitchOf(schedule.lanes.length);
    const labelEvery = Math.ceil(12 / pitch);
    const lanes = schedule.lanes.length * pitch;
    const total = AXIS + lanes + (this.#chosen === undefined ? 0 : CHOSEN_LANE);
    const ratio = devicePixelRatio;
    this.canvas.style.height = `${total}px`;
    const width = this.canvas.clientWidth;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(total * ratio);
    context.scale(ratio, ratio);
    context.font = '11px system-ui, sans-serif';
    context.textBaseline = 'middle';
    const style = getComputedStyle(this.canvas);
    this.#drawAxis(context, width, total, style);
    schedule.lanes.forEach((lane, processor) => {
      const top = AXIS + processor * pitch;
      context.fillStyle = style.getPropertyValue('--quiet');
      if (processor % labelEvery === 0) {
        context.fillText(`CPU ${processor}`, 6, top + (pitch * labelEvery) / 2);
      }
      this.#drawLane(context, lane, top, pitch - gapOf(pitch), width);
    });
    if (this.#chosen !== undefined) this.#drawChosen(context, AXIS + lanes, width, style);
  }

  #drawAxis(
    context: CanvasRenderingContext2D,
    width: number,
    height: number,
    style: CSSStyleDeclaration,
  ): void {
    const { fromNs, toNs } = this.span;
    const times = ticks(this.span, Math.max(2, (width - GUTTER) / 110));
    const [first = 0, second = first + 1] = times;
    for (const time of times) {
      const x = GUTTER + ((time - fromNs) / (toNs - fromNs)) * (width - GUTTER);
      context.fillStyle = style.getPropertyValue('--line');
      context.fillRect(x, AXIS - 4, 1, height);
      context.fillStyle = style.getPropertyValue('--quiet');
      const label = point(time, second - first);
      const room = width - context.measureText(label).width - 2;
      context.fillText(label, Math.min(x + 3, room), AXIS / 2);
    }
  }

  /** Each device pixel column is as high as the share of its time that runs took. */
  #drawLane(
    context: CanvasRenderingContext2D,
    lane: Intervals,
    top: number,
    height: number,
    width: number,
  ): void {
    const columns = Math.max(1, Math.round((width - GUTTER) * devicePixelRatio));
    const columnNs = (this.span.toNs - this.span.fromNs) / columns;
    const { busyNs, threads } = fillColumns(lane, this.span, columns);
    const columnWidth = (width - GUTTER) / columns;
    let column = 0;
    while (column < columns) {
      const busy = busyNs[column] as number;
      const thread = threads[column] as number;
      let next = column + 1;
      while (next < columns && busyNs[next] === busy && threads[next] === thread) next++;
      if (busy > 0) {
        const filled = Math.max(1, Math.min(1, busy / columnNs) * height);
        context.fillStyle = this.#look(thread).colour;
        context.globalAlpha = this.#chosen === undefined || this.#chosen(thread) ? 1 : 0.15;
        const x = GUTTER + column * columnWidth;
        const drawn = (next - column) * columnWidth;
        // Threads of one process have one colour: a gap tells them apart.
        context.fillRect(x, top + height - filled, drawn - (drawn > 3 ? 0.6 : 0), filled);
      }
      column = next;
    }
    context.globalAlpha = 1;
    if (height >= 14) this.#drawLabels(context, lane, top, height, width);
  }

  #drawLabels(
    context: CanvasRenderingContext2D,
    lane: Intervals,
    top: number,
    height: number,
    width: number,
  ): void {
    const { fromNs, toNs } = this.span;
    const scale = (width - GUTTER) / (toNs - fromNs);
    const first = lane.firstAfter(fromNs);
    const end = Math.min(lane.count, first + 4000);
    for (let index = first; index < end && (lane.startsNs[index] as number) < toNs; index++) {
      const thread = lane.threads[index] as number;
      const from = Math.max(fromNs, lane.startsNs[index] as number);
      const room = (Math.min(toNs, lane.endsNs[index] as number) - from) * scale;
      if (room < LABEL_WIDTH || this.#chosen?.(thread) === false) continue;
      const x = GUTTER + (from - fromNs) * scale;
      context.save();
      context.beginPath();
      context.rect(x, top, room - 2, height);
      context.clip();
      context.fillStyle = '#14181c';
      context.fillText(this.#look(thread).name, x + 4, top + height / 2);
      context.restore();
    }
  }

  /** When the chosen threads ran, anywhere, and when they were ready and did not. */
  #drawChosen(
    context: CanvasRenderingContext2D,
    top: number,
    width: number,
    style: CSSStyleDeclaration,
  ): void {
    const schedule = this.#schedule as Schedule;
    const { fromNs, toNs } = this.span;
    const scale = (width - GUTTER) / (toNs - fromNs);
    const draw = (intervals: Intervals, y: number, height: number, colour?: string) => {
      for (let index = 0; index < intervals.count; index++) {
        const start = intervals.startsNs[index] as number;
        const end = intervals.endsNs[index] as number;
        const thread = intervals.threads[index] as number;
        if (end <= fromNs || start >= toNs || this.#chosen?.(thread) !== true) continue;
        const x = Math.max(0, (start - fromNs) * scale);
        context.fillStyle = colour ?? this.#look(thread).colour;
        const drawn = Math.max(0.5, (end - fromNs) * scale - x);
        context.fillRect(GUTTER + x, y, Math.min(width - GUTTER - x, drawn), height);
      }
    };
    for (const lane of schedule.lanes) draw(lane, top, 12);
    draw(schedule.ready, top + 14, 12, style.getPropertyValue('--ready'));
    context.fillStyle = style.getPropertyValue('--quiet');
    context.fillText('it ran', 6, top + 6);
    context.fillText('was ready', 6, top + 20);
  }

  #pointed(event: MouseEvent): Pointed | undefined {
    const schedule = this.#schedule;
    if (schedule === undefined) return undefined;
    const { left, top } = this.canvas.getBoundingClientRect();
    const processor = Math.floor((event.clientY - top - AXIS) / pitchOf(schedule.lanes.length));
    const lane = schedule.lanes[processor];
    const share = (event.clientX - left - GUTTER) / (this.canvas.clientWidth - GUTTER);
    if (lane === undefined || share < 0) return undefined;
    const { fromNs, toNs } = this.span;
    const atNs = fromNs + share * (toNs - fromNs);
    const index = lane.firstAfter(atNs);
    const startNs = lane.startsNs[index] as number;
    if (index === lane.count || startNs > atNs) return { processor, atNs };
    const thread = lane.threads[index] as number;
    return { processor, atNs, run: { thread, startNs, endNs: lane.endsNs[index] as number } };
  }

  #listenToPointer(): void {
    const { canvas } = this;
    const share = (pixels: number) => pixels / (canvas.clientWidth - GUTTER);
    let dragged = 0;
    canvas.addEventListener('pointerdown', (event) => {
      dragged = 0;
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener('pointermove', (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) {
        dragged += Math.abs(event.movementX);
        this.move(moved(this.span, -share(event.movementX), this.endNs));
      } else this.onPoint?.(this.#pointed(event));
    });
    canvas.addEventListener('click', (event) => {
      const pointed = this.#pointed(event);
      if (dragged < 4 && pointed !== undefined) this.onPick?.(pointed);
    });
    canvas.addEventListener('wheel', (event) => {
      if (event.ctrlKey || event.metaKey) {
        const { left } = canvas.getBoundingClientRect();
        const { fromNs, toNs } = this.span;
        const atNs = fromNs + share(event.clientX - left - GUTTER) * (toNs - fromNs);
        this.move(zoomed(this.span, 2 ** (event.deltaY / 200), atNs, this.endNs));
      } else if (event.deltaX !== 0) {
        this.move(moved(this.span, share(event.deltaX), this.endNs));
      } else return;
      event.preventDefault();
    });
  }

  #key(event: KeyboardEvent): void {
    const { endNs, span } = this;
    const middle = (span.fromNs + span.toNs) / 2;
    const moves: Readonly<Record<string, () => Span>> = {
      ArrowLeft: () => moved(span, -0.2, endNs),
      ArrowRight: () => moved(span, 0.2, endNs),
      '+': () => zoomed(span, 0.5, middle, endNs),
      '=': () => zoomed(span, 0.5, middle, endNs),
      '-': () => zoomed(span, 2, middle, endNs),
      '0': () => spanOf(0, endNs, endNs),
    };
    const move = event.ctrlKey || event.metaKey ? undefined : moves[event.key];
    if (move === undefined) return;
    event.preventDefault();
    this.move(move());
  }
}

/** For each column of the span: how long runs took in it, ns, and the thread of the longest. */
export function fillColumns(
  lane: Intervals,
  { fromNs, toNs }: Span,
  columns: number,
): { busyNs: Float64Array; threads: Int32Array } {
  const columnNs = (toNs - fromNs) / columns;
  const busyNs = new Float64Array(columns);
  const longestNs = new Float64Array(columns);
  const threads = new Int32Array(columns).fill(SYSTEM_THREAD);
  for (let index = lane.firstAfter(fromNs); index < lane.count; index++) {
    const start = Math.max(fromNs, lane.startsNs[index] as number);
    if (start >= toNs) break;
    const end = Math.min(toNs, lane.endsNs[index] as number);
    const last = Math.min(columns - 1, Math.floor((end - fromNs) / columnNs));
    for (let column = Math.floor((start - fromNs) / columnNs); column <= last; column++) {
      const columnFrom = fromNs + column * columnNs;
      const ns = Math.min(end, columnFrom + columnNs) - Math.max(start, columnFrom);
      busyNs[column] = (busyNs[column] as number) + ns;
      if (ns <= (longestNs[column] as number)) continue;
      longestNs[column] = ns;
      threads[column] = lane.threads[index] as number;
    }
  }
  return { busyNs, threads };
}
