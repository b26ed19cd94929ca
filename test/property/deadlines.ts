/** When something is due, ns since boot, and whether that goes by the system time. */
export interface Due {
  readonly at: number;
  readonly absolute: boolean;
}

/** Something that expires, at the first clock tick at or after `due`. */
export interface Deadline {
  due: number;
  readonly absolute: boolean;
  readonly expire: (at: number) => void;
}

/** A plain model of timers: they expire in order of due time, those of one time as they were set. */
export class Deadlines {
  private list: Deadline[] = [];

  constructor(private readonly tickNs: number) {}

  schedule({ at, absolute }: Due, expire: (at: number) => void): Deadline {
    const deadline = { due: at, absolute, expire };
    this.list.push(deadline);
    return deadline;
  }

  /** Whether it was still to come. */
  cancel(deadline: Deadline | undefined): boolean {
    const before = this.list.length;
    this.list = this.list.filter((other) => other !== deadline);
    return this.list.length !== before;
  }

  /** The same time, as if it had been set just now. */
  setAgain(deadline: Deadline | undefined): void {
    if (deadline !== undefined && this.cancel(deadline)) this.list.push(deadline);
  }

  /** The system time is set forward (or back) by so much. */
  shiftTime(now: number, byNs: number): void {
    const moved = this.list.filter(({ absolute }) => absolute).sort((a, b) => a.due - b.due);
    this.list = [...this.list.filter(({ absolute }) => !absolute), ...moved];
    for (const deadline of moved) deadline.due = Math.max(now, deadline.due - byNs);
  }

  /** Expires what has expired by `now`. */
  advance(now: number): void {
    for (;;) {
      const earliest = Math.min(...this.list.map(({ due }) => due));
      const tick = Math.ceil(earliest / this.tickNs) * this.tickNs;
      if (tick > now) return;
      const deadline = this.list.find(({ due }) => due === earliest) as Deadline;
      this.cancel(deadline);
      deadline.expire(tick);
    }
  }
}
