/**
 * The bodies of scheduler events, in the kernel's own form and in that of `trace-cmd report`.
 *
 * A comm may contain what looks like a field, so that fields are found from the right: the last
 * ` next_prio=`, the last ` next_pid=` before it, and so on.
 */
import {
  bytesOf,
  findFirst,
  findLast,
  findLastByte,
  hexAt,
  NO_NUMBER,
  numberAt,
  SPACE,
  startsWith,
} from './bytes';

const PREV_COMM = bytesOf('prev_comm=');
const PREV_PID = bytesOf(' prev_pid=');
const PREV_PRIO = bytesOf(' prev_prio=');
const PREV_STATE = bytesOf(' prev_state=');
const NEXT_COMM = bytesOf('==> next_comm=');
const NEXT_PID = bytesOf(' next_pid=');
const NEXT_PRIO = bytesOf(' next_prio=');
const ARROW = bytesOf(' ==> ');
const COMM = bytesOf('comm=');
const PID = bytesOf(' pid=');
const PRIO = bytesOf(' prio=');
const SUCCESS_0 = bytesOf(' success=0');
const CHILD_COMM = bytesOf(' child_comm=');
const CHILD_PID = bytesOf(' child_pid=');
const OLD_PID = bytesOf(' old_pid=');
const FILENAME = bytesOf('filename=');
const PID_FIRST = bytesOf('pid=');
const CLONE_FLAGS = bytesOf(' clone_flags=');
const OLD_COMM = bytesOf(' oldcomm=');
const NEW_COMM = bytesOf(' newcomm=');
const OOM_SCORE = bytesOf(' oom_score_adj=');

const CLOSE = 0x5d;
/** No body with a comm of 15 bytes is longer: this bounds the search in a hostile one. */
const BODY_BYTES_MAX = 1024;

/** A task named in a body: `start` and `end` of its comm in the line's buffer. */
export class Task {
  pid = 0;
  priority = 0;
  commStart = 0;
  commEnd = 0;
}

/** The parts of the body read last. A `read…` that returns false leaves them undefined. */
export class EventBody {
  readonly task = new Task();
  /** sched_switch's next task, sched_process_fork's child. */
  readonly next = new Task();
  /** sched_switch: the state's first letter as a byte; 0 if the task remains runnable. */
  state = 0;
  /** sched_wakeup of a task that was awake. */
  failed = false;
  oldPid = 0;
  cloneFlags = 0;

  readSwitch(buffer: Uint8Array, start: number, end: number): boolean {
    if (end - start > BODY_BYTES_MAX) return false;
    if (!startsWith(buffer, start, end, PREV_COMM))
      return this.#readShortSwitch(buffer, start, end);
    const nextPrio = findLast(buffer, start, end, NEXT_PRIO);
    const nextPid = findLast(buffer, start, nextPrio, NEXT_PID);
    if (nextPid < 0) return false;
    let arrow = nextPid;
    for (;;) {
      arrow = findLast(buffer, start, arrow, NEXT_COMM);
      if (arrow < 0) return false;
      if (this.#readPrev(buffer, start, arrow)) break;
    }
    const { next } = this;
    next.pid = numberAt(buffer, nextPid + NEXT_PID.length, nextPrio);
    next.priority = numberAt(buffer, nextPrio + NEXT_PRIO.length, end);
    next.commStart = arrow + NEXT_COMM.length;
    next.commEnd = nextPid;
    return next.pid >= 0 && next.priority !== NO_NUMBER;
  }

  #readPrev(buffer: Uint8Array, start: number, arrow: number): boolean {
    const state = findLast(buffer, start, arrow, PREV_STATE);
    const prio = findLast(buffer, start, state, PREV_PRIO);
    const pid = findLast(buffer, start, prio, PREV_PID);
    if (pid < 0) return false;
    const { task } = this;
    task.pid = numberAt(buffer, pid + PREV_PID.length, prio);
    task.priority = numberAt(buffer, prio + PREV_PRIO.length, state);
    task.commStart = start + PREV_COMM.length;
    task.commEnd = pid;
    if (task.pid < 0 || task.priority === NO_NUMBER || task.commStart > pid) return false;
    return this.#readState(buffer, state + PREV_STATE.length, arrow);
  }

  /** `COMM:PID [PRIO] STATE ==> COMM:PID [PRIO]` */
  #readShortSwitch(buffer: Uint8Array, start: number, end: number): boolean {
    let arrow = end;
    for (;;) {
      arrow = findLast(buffer, start, arrow, ARROW);
      if (arrow < 0) return false;
      const close = findLastByte(buffer, start, arrow, CLOSE);
      if (close <= start || !readShort(buffer, start, close, this.task)) continue;
      if (!this.#readState(buffer, close + 2, arrow + 1)) continue;
      const last = findLastByte(buffer, arrow, end, CLOSE);
      if (last < 0) return false;
      return readShort(buffer, arrow + ARROW.length, last, this.next);
    }
  }

  /** `S`, `D|K`, `R+`, `(S)` or a number, then a space. */
  #readState(buffer: Uint8Array, start: number, end: number): boolean {
    let at = start;
    if (buffer[at] === 0x28) at++;
    const first = buffer[at] as number;
    if (at >= end || first === SPACE) return false;
    let runnable = first === 0x52 || first === 0x30; // R, 0
    for (; at < end && buffer[at] !== SPACE; at++) if (buffer[at] === 0x2b) runnable = true;
    if (at !== end - 1) return false;
    this.state = runnable ? 0 : stateLetter(first);
    return true;
  }

  /** sched_waking, sched_wakeup, sched_wakeup_new, sched_process_exit. */
  readTask(buffer: Uint8Array, start: number, end: number): boolean {
    if (end - start > BODY_BYTES_MAX) return false;
    this.failed = false;
    const { task } = this;
    if (!startsWith(buffer, start, end, COMM)) return this.#readShortTask(buffer, start, end);
    const prio = findLast(buffer, start, end, PRIO);
    const pid = findLast(buffer, start, prio, PID);
    if (pid < 0) return false;
    task.pid = numberAt(buffer, pid + PID.length, prio);
    task.priority = numberAt(buffer, prio + PRIO.length, end);
    task.commStart = start + COMM.length;
    task.commEnd = pid;
    let at = prio + PRIO.length;
    while (at < end && buffer[at] !== SPACE) at++;
    this.failed = startsWith(buffer, at, end, SUCCESS_0);
    return task.pid >= 0 && task.priority !== NO_NUMBER && task.commStart <= pid;
  }

  /** `COMM:PID [PRIO] success=1 CPU:000` or `COMM:PID [PRIO]<CANT FAIL> CPU:000` */
  #readShortTask(buffer: Uint8Array, start: number, end: number): boolean {
    for (let close = end; ; ) {
      close = findLastByte(buffer, start, close, CLOSE);
      if (close <= start) return false;
      if (readShort(buffer, start, close, this.task)) {
        this.failed = findFirst(buffer, close, end, SUCCESS_0) >= 0;
        return true;
      }
    }
  }

  /** sched_process_fork: `task` is the parent, `next` the child. */
  readFork(buffer: Uint8Array, start: number, end: number): boolean {
    const childPid = findLast(buffer, start, end, CHILD_PID);
    const childComm = findLast(buffer, start, childPid, CHILD_COMM);
    const pid = findLast(buffer, start, childComm, PID);
    if (pid < 0) return false;
    const { task, next } = this;
    task.pid = numberAt(buffer, pid + PID.length, childComm);
    task.commStart = start + COMM.length;
    task.commEnd = pid;
    next.pid = numberAt(buffer, childPid + CHILD_PID.length, end);
    next.commStart = childComm + CHILD_COMM.length;
    next.commEnd = childPid;
    return task.pid >= 0 && next.pid > 0 && task.commStart <= pid;
  }

  /** sched_process_exec: the comm of `task` is the file's path. */
  readExec(buffer: Uint8Array, start: number, end: number): boolean {
    const oldPid = findLast(buffer, start, end, OLD_PID);
    const pid = findLast(buffer, start, oldPid, PID);
    if (pid < 0) return false;
    const named = startsWith(buffer, start, pid, FILENAME);
    this.task.commStart = named ? start + FILENAME.length : pid;
    this.task.commEnd = pid;
    this.task.pid = numberAt(buffer, pid + PID.length, oldPid);
    this.oldPid = numberAt(buffer, oldPid + OLD_PID.length, end);
    return this.task.pid > 0 && this.oldPid > 0;
  }

  readNewTask(buffer: Uint8Array, start: number, end: number): boolean {
    const flags = findLast(buffer, start, end, CLONE_FLAGS);
    if (flags < 0 || !startsWith(buffer, start, end, PID_FIRST)) return false;
    this.task.pid = numberAt(buffer, start + PID_FIRST.length, flags);
    let at = flags + CLONE_FLAGS.length;
    if (buffer[at] === 0x30 && buffer[at + 1] === 0x78) at += 2;
    this.cloneFlags = hexAt(buffer, at, end);
    return this.task.pid > 0 && this.cloneFlags >= 0;
  }

  /** task_rename: `task` carries the new comm. */
  readRename(buffer: Uint8Array, start: number, end: number): boolean {
    const score = findLast(buffer, start, end, OOM_SCORE);
    const newComm = findLast(buffer, start, score, NEW_COMM);
    const oldComm = findLast(buffer, start, newComm, OLD_COMM);
    if (oldComm < 0 || !startsWith(buffer, start, end, PID_FIRST)) return false;
    this.task.pid = numberAt(buffer, start + PID_FIRST.length, oldComm);
    this.task.commStart = newComm + NEW_COMM.length;
    this.task.commEnd = score;
    return this.task.pid > 0;
  }
}

/** `COMM:PID [PRIO]` of which the last bracket is at `close`. */
function readShort(buffer: Uint8Array, start: number, close: number, task: Task): boolean {
  let at = close - 1;
  while (at > start && buffer[at] !== 0x5b) at--;
  const open = at;
  if (buffer[open] !== 0x5b || buffer[open - 1] !== SPACE) return false;
  at = open - 2;
  while (at > start && buffer[at] !== 0x3a) at--;
  if (at <= start || buffer[at] !== 0x3a) return false;
  task.pid = numberAt(buffer, at + 1, open);
  task.priority = numberAt(buffer, open + 1, close);
  task.commStart = start;
  task.commEnd = at;
  return task.pid >= 0 && task.priority !== NO_NUMBER;
}

/** S D T t X Z P I K as they are; the numbers 1 and 2 of raw output; anything else counts as S. */
function stateLetter(first: number): number {
  switch (first) {
    case 0x44:
    case 0x32:
      return 0x44; // D
    case 0x54:
    case 0x74:
    case 0x58:
    case 0x5a:
    case 0x50:
    case 0x49:
    case 0x4b:
      return first;
    case 0x78:
      return 0x58; // x is X
    default:
      return 0x53; // S
  }
}
