import { describe, expect, it } from 'vitest';
import { readText, warningsOf } from './sink';
import { event, switchTo, wakeup, waking } from './trace-text';

/** The calls about behaviour: without the declarations and the ends. */
const behaviour = (log: readonly string[]): string[] =>
  log.filter((each) => !/^(process|thread) |ends$/.test(each));

const IDLE = 'swapper/0-0';

describe('runs', () => {
  it('a task that leaves a processor first has run there since time 0', () => {
    const { log, summary } = readText(
      event(10, 'z-9', 'print: x', { cpu: 1 }) + switchTo(25, 'a-1', 'S', IDLE),
    );
    expect(behaviour(log)).toEqual(['0 computes 15000', '0 waits S']);
    expect(summary.cpuFigures).toEqual([{ cpu: 0, busyNs: 15000 }]);
  });

  it('a task that runs at the end has computed until the last time', () => {
    const { log } = readText(switchTo(10, 'a-1', 'R', 'b-2') + event(30, 'b-2', 'print: x'));
    expect(behaviour(log)).toContain('1 computes 20000');
    expect(log.slice(-2)).toEqual(['0 ends', '1 ends']);
  });

  it.each(['R', 'R+', 'S+', 'D|K+', '0'])('a task switched out as %s does not wait', (state) => {
    const { log, summary } = readText(
      switchTo(10, 'a-1', state, 'b-2') + switchTo(20, 'b-2', 'S', 'a-1'),
    );
    expect(behaviour(log)).not.toContain('0 waits S');
    expect(summary.threads[0]).toMatchObject({ involuntarySwitches: 1, voluntarySwitches: 0 });
    expect(summary.threads[0]?.ready.max).toBe(10_000);
  });

  it.each([
    ['S', 'S'],
    ['D', 'D'],
    ['D|K', 'D'],
    ['T', 'T'],
    ['t', 't'],
    ['P', 'P'],
    ['I', 'I'],
    ['1', 'S'],
    ['2', 'D'],
    ['?', 'S'],
  ])('a task switched out as %s waits for %s', (state, reason) => {
    expect(readText(switchTo(10, 'a-1', state, IDLE)).log).toContain(`0 waits ${reason}`);
  });

  it('a task that moves to another processor has migrated', () => {
    const { summary } = readText(
      switchTo(10, 'a-1', 'R', 'b-2') + switchTo(20, IDLE, 'R', 'a-1', { cpu: 1 }),
    );
    expect(summary.threads[0]?.migrations).toBe(1);
  });

  it('a new comm renames and a new priority is told', () => {
    const { log } = readText(
      switchTo(10, 'a-1', 'R', 'b-2') +
        switchTo(20, 'b-2', 'R', 'c-1').replace('next_prio=120', 'next_prio=98') +
        event(30, 'c-1', 'task_rename: pid=1 oldcomm=c newcomm=d e oom_score_adj=0'),
    );
    expect(behaviour(log).slice(-4)).toEqual([
      '0 is c',
      '0 priority 98',
      '0 computes 10000',
      '0 is d e',
    ]);
  });
});

describe('wake-ups', () => {
  const asleep = switchTo(10, 'a-1', 'S', 'b-2');

  it('a running task wakes at its progress', () => {
    const { log, summary } = readText(
      asleep + waking(14, 'b-2', 'a-1') + switchTo(20, 'b-2', 'S', 'a-1'),
    );
    expect(behaviour(log).slice(-5)).toEqual([
      'at 0 cpu 0 wakes 1',
      '1 computes 4000',
      '1 wakes 0',
      '1 computes 6000',
      '1 waits S',
    ]);
    expect(summary.threads[0]?.ready.max).toBe(6000);
  });

  it.each([
    'd.h2.',
    'd.H2.',
    'dNs4.',
    'd.z1.',
    'd.Z1.',
  ])('under the flags %s an interrupt wakes', (flags) => {
    const { log, summary } = readText(asleep + waking(14, 'b-2', 'a-1', { flags }));
    expect(log).toContain('at 4000 cpu 0 wakes 0');
    expect(summary.attribution).toMatchObject({ byInterrupt: 1, byThread: 0 });
  });

  it('the idle task is an interrupt', () => {
    const { log } = readText(switchTo(10, 'a-1', 'S', IDLE) + waking(14, '<idle>-0', 'a-1'));
    expect(log).toContain('at 4000 cpu 0 wakes 0');
  });

  it.each([
    ['irq_handler', 'irq=1 name=x'],
    ['softirq', 'vec=1'],
    ['local_timer', 'vector=236'],
  ])('without flags %s_entry and _exit tell of interrupts', (name, body) => {
    const text =
      asleep +
      event(11, 'b-2', `${name}_entry: ${body}`) +
      waking(12, 'b-2', 'a-1') +
      event(13, 'b-2', `${name}_exit: ${body}`) +
      waking(14, 'b-2', 'c-3');
    const { summary } = readText(text.replaceAll('d..2. ', ''));
    expect(summary.attribution).toMatchObject({ byInterrupt: 1, byThread: 1, contextUnknown: 0 });
  });

  it('without flags and interrupt events the context is unknown', () => {
    const { summary } = readText((asleep + waking(14, 'b-2', 'a-1')).replaceAll('d..2. ', ''));
    expect(summary.attribution).toMatchObject({ byThread: 1, contextUnknown: 1 });
  });

  it('a sched_wakeup after its sched_waking wakes no second time', () => {
    const { summary } = readText(
      asleep + waking(14, 'b-2', 'a-1') + wakeup(15, '<idle>-0', 'a-1', { cpu: 1, flags: 'd.h2.' }),
    );
    expect(summary.attribution).toMatchObject({ byThread: 1, byInterrupt: 0, redundant: 0 });
  });

  it('a sched_wakeup alone wakes', () => {
    const { log } = readText(asleep + wakeup(14, 'b-2', 'a-1'));
    expect(log).toContain('1 wakes 0');
  });

  it('an event that still bears the id of the task switched from is no thread', () => {
    const { log, summary } = readText(asleep + waking(10, 'a-1', 'c-3'));
    expect(log).toContain('at 0 cpu 0 wakes 2');
    expect(warningsOf(summary)).toEqual([]);
  });

  it('nor is it if that task is still ready', () => {
    const { log, summary } = readText(
      switchTo(10, 'a-1', 'R', 'b-2') + waking(12, 'a-1', 'c-3') + switchTo(20, 'b-2', 'S', IDLE),
    );
    expect(log).toContain('at 2000 cpu 0 wakes 2');
    expect(warningsOf(summary)).toEqual([]);
  });

  it('a wake-up shortly before the target blocks ends its wait', () => {
    const { log, summary } = readText(
      switchTo(10, 'a-1', 'R', 'b-2') +
        event(10, 'c-3', 'irq_handler_entry: irq=1 name=x', { cpu: 1 }) +
        waking(14, 'c-3', 'b-2', { cpu: 1 }) +
        switchTo(15, 'b-2', 'S', IDLE) +
        switchTo(18, IDLE, 'R', 'b-2'),
    );
    expect(behaviour(log).slice(-5)).toEqual([
      '2 computes 4000',
      '2 wakes 1',
      '1 computes 5000',
      '1 waits S',
      '2 computes 4000',
    ]);
    expect(summary.attribution).toMatchObject({ byThread: 1, unattributed: 1, redundant: 0 });
    expect(summary.threads[1]?.ready.max).toBe(3000);
  });

  it('a wake-up of a running task that blocks later and is woken again is redundant', () => {
    const { log, summary } = readText(
      switchTo(10, 'a-1', 'R', 'b-2') +
        waking(14, 'c-3', 'b-2', { cpu: 1 }) +
        switchTo(15, 'b-2', 'S', IDLE) +
        waking(17, '<idle>-0', 'b-2') +
        switchTo(18, IDLE, 'R', 'b-2'),
    );
    expect(summary.attribution).toMatchObject({ byThread: 0, byInterrupt: 1, redundant: 1 });
    expect(behaviour(log)).toContain('at 7000 cpu 0 wakes 1');
  });

  it('a wake-up of a task that is ready is redundant', () => {
    const { summary } = readText(
      asleep + waking(14, 'b-2', 'a-1') + waking(15, 'b-2', 'a-1') + waking(16, 'b-2', 'b-2'),
    );
    expect(summary.attribution).toMatchObject({ byThread: 1, redundant: 2 });
  });

  it('a blocked task that runs unwoken is woken by an interrupt that is made up', () => {
    const { log, summary } = readText(asleep + switchTo(20, 'b-2', 'S', 'a-1'));
    expect(log).toContain('at 10000 cpu 0 wakes 0');
    expect(summary.attribution.unattributed).toBe(2);
  });

  it('a task first seen by a wake-up waits from the start', () => {
    const { log } = readText(asleep + waking(14, 'b-2', 'c-3'));
    expect(log.slice(-6, -3)).toEqual(['2 waits S', '1 computes 4000', '1 wakes 2']);
  });
});

describe('forks and exits', () => {
  const forked =
    switchTo(10, 'a-1', 'R', 'b-2') +
    event(12, 'b-2', 'sched_process_fork: comm=b pid=2 child_comm=b x child_pid=3') +
    event(13, 'b-2', 'sched_wakeup_new: comm=b x pid=3 prio=120 target_cpu=000');

  it('a fork declares the child before the parent forks it and is its only wake-up', () => {
    const { log, summary } = readText(
      forked + switchTo(20, 'b-2', 'R', 'b x-3') + switchTo(25, 'b x-3', 'S', 'a-1'),
    );
    expect(log.slice(6, 13)).toEqual([
      'process 2: 3 b x',
      'thread 2: of 2, 3 b x 120 by 1',
      '1 computes 2000',
      '1 forks 2',
      '1 computes 8000',
      '2 computes 5000',
      '2 waits S',
    ]);
    expect(summary.threads[2]?.ready.max).toBe(7000);
  });

  it('CLONE_THREAD puts the child into the process of its parent', () => {
    const newTask = event(
      11,
      'b-2',
      'task_newtask: pid=3 comm=b clone_flags=3d0f00 oom_score_adj=0',
    );
    const { log } = readText(forked.replace('  b-2 [000] d..2. 0.000012', `${newTask}$&`));
    expect(log).toContain('thread 2: of 1, 3 b x 120 by 1');
  });

  it('without task_newtask a child is a process of its own and counted as a guess', () => {
    expect(readText(forked).summary.attribution.guessedProcesses).toBe(3);
  });

  it('the tgid column gives the process, also of a task that runs later', () => {
    const text = (
      switchTo(10, 'a-1', 'R', 'b-2') +
      waking(11, 'b-2', 'c-3') +
      switchTo(12, 'b-2', 'S', 'c-3') +
      switchTo(13, 'c-3', 'S', IDLE)
    ).replace(/-(\d) \[/g, '-$1 (  1) [');
    const { log, summary } = readText(text);
    expect(log.filter((each) => each.startsWith('process'))).toEqual(['process 0: 1 a']);
    expect(log).toContain('thread 2: of 0, 3 c 120 by -1');
    expect(summary.attribution.guessedProcesses).toBe(0);
  });

  it('tasks whose processes are learnt one after the other are declared in their order', () => {
    const text = (
      switchTo(10, 'a-1', 'R', 'b-2') +
      waking(11, 'b-2', 'c-3') +
      waking(12, 'b-2', 'd-4') +
      switchTo(13, 'b-2', 'S', 'c-3') +
      switchTo(14, 'c-3', 'S', 'd-4') +
      switchTo(15, 'd-4', 'S', IDLE)
    ).replace(/-(\d) \[/g, '-$1 (  1) [');
    const { log, summary } = readText(text);
    expect(log.filter((each) => /^(process|thread) /.test(each))).toEqual([
      'process 0: 1 a',
      'thread 0: of 0, 1 a 120 by -1',
      'thread 1: of 0, 2 b 120 by -1',
      'thread 2: of 0, 3 c 120 by -1',
      'thread 3: of 0, 4 d 120 by -1',
    ]);
    expect(summary.attribution.guessedProcesses).toBe(0);
  });

  it('an exiting task exits when it leaves its processor for good', () => {
    const { log } = readText(
      switchTo(10, 'a-1', 'R', 'b-2') +
        event(12, 'b-2', 'sched_process_exit: comm=b pid=2 prio=120 group_dead=true') +
        switchTo(14, 'b-2', 'R+', 'a-1') +
        switchTo(16, 'a-1', 'R', 'b-2') +
        switchTo(18, 'b-2', 'Z', 'a-1'),
    );
    expect(behaviour(log).slice(-2)).toEqual(['1 computes 2000', '1 exits']);
  });

  it('an id that is used again after an exit is a new thread', () => {
    const { summary } = readText(switchTo(10, 'a-1', 'X', 'b-2') + switchTo(20, 'b-2', 'S', 'a-1'));
    expect(summary.threads.map((each) => [each.tid, each.exited])).toEqual([
      [1, true],
      [2, false],
      [1, false],
    ]);
  });

  it('a thread that executes a program takes over the id of its leader', () => {
    const { summary } = readText(
      switchTo(10, 'a-1', 'Z', 'b-2') +
        event(12, 'b-1', 'sched_process_exec: filename=b pid=1 old_pid=2') +
        switchTo(14, 'b-1', 'S', IDLE),
    );
    expect(summary.threads.map((each) => each.runNs)).toEqual([0, 4000]);
    expect(warningsOf(summary)).toEqual([]);
  });

  it('a program that is executed is told by its path, after what was computed before it', () => {
    const { log } = readText(
      switchTo(10, IDLE, 'R', 'a-1') +
        event(12, 'a-1', 'sched_process_exec: filename=/opt/a b pid=1 old_pid=1') +
        switchTo(15, 'a-1', 'S', IDLE),
    );
    expect(log.slice(3)).toEqual([
      'at 0 cpu 0 wakes 0',
      '0 computes 2000',
      '0 executes /opt/a b',
      '0 computes 3000',
      '0 waits S',
      '0 ends',
    ]);
  });
});

describe('what is missing or wrong', () => {
  it('lost events are counted and what follows is taken as it is', () => {
    const { summary } = readText(
      `${switchTo(10, 'a-1', 'S', 'b-2')}CPU:0 [LOST 77 EVENTS]\n${switchTo(30, 'c-3', 'S', 'a-1')}`,
    );
    expect(summary.lostEvents).toBe(77);
    expect(warningsOf(summary)).toEqual(['lost-events 1 at 2:1']);
    expect(summary.threads.map((each) => each.runNs)).toEqual([0, 0, 0]);
  });

  it('a switch that is not recorded is inferred: the task ran since it was ready', () => {
    const { summary } = readText(
      switchTo(10, 'a-1', 'S', IDLE) +
        waking(14, '<idle>-0', 'a-1', { flags: 'd.h2.' }) +
        switchTo(20, 'a-1', 'S', IDLE),
    );
    expect(summary.threads[0]?.runNs).toBe(6000);
    expect(warningsOf(summary)).toEqual(['missing-switch 1 at 3:1']);
  });

  it('a task seen on two processors leaves the first', () => {
    const { summary } = readText(
      switchTo(10, 'a-1', 'R', 'b-2') +
        event(15, 'b-2', 'sched_process_exit: comm=q pid=77 prio=120') +
        switchTo(20, 'c-3', 'S', 'b-2', { cpu: 1 }) +
        switchTo(26, 'b-2', 'S', IDLE, { cpu: 1 }),
    );
    expect(summary.threads[1]?.runNs).toBe(11_000);
    expect(warningsOf(summary)).toEqual(['mismatch 1 at 3:1']);
  });

  it('a time that goes back is taken as equal', () => {
    const { summary } = readText(
      switchTo(10, 'a-1', 'R', 'b-2') +
        switchTo(30, 'b-2', 'S', 'a-1') +
        switchTo(20, 'a-1', 'R', 'b-2'),
    );
    expect(warningsOf(summary)).toEqual(['time-back 1 at 3:1']);
    expect(summary.threads[0]?.runNs).toBe(0);
    expect(summary.durationNs).toBe(20_000);
  });
});
