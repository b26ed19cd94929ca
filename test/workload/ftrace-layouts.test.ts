import { describe, expect, it } from 'vitest';
import { readText, warningsOf } from './sink';

const EXPECTED = [
  'process 0: 100 alpha',
  'thread 0: of 0, 100 alpha 120 by -1',
  '0 computes 1500',
  '0 waits S',
  'process 1: 200 beta',
  'thread 1: of 1, 200 beta 110 by -1',
  '1 waits S',
  'at 1500 cpu 0 wakes 1',
  '1 computes 1000',
  '1 wakes 0',
  '1 computes 500',
  '1 waits D',
  '0 computes 2000',
  '0 waits S',
  '0 ends',
  '1 ends',
];

const OLD = `# tracer: nop
#
#           TASK-PID    CPU#    TIMESTAMP  FUNCTION
#              | |       |          |         |
           alpha-100   [000]  5.000001: tracing_mark_write: hello
           alpha-100   [000]  5.000002500: sched_switch: prev_comm=alpha prev_pid=100 prev_prio=120 prev_state=S ==> next_comm=beta next_pid=200 next_prio=110
            beta-200   [000]  5.000003500: sched_wakeup: comm=alpha pid=100 prio=120 success=1 target_cpu=000
            beta-200   [000]  5.000004000: sched_switch: prev_comm=beta prev_pid=200 prev_prio=110 prev_state=D|W ==> next_comm=alpha next_pid=100 next_prio=120
           alpha-100   [000]  5.000006: sched_switch: prev_comm=alpha prev_pid=100 prev_prio=120 prev_state=S ==> next_comm=swapper/0 next_pid=0 next_prio=120
`;

const FLAGS_AND_TGID = `# tracer: nop
#                                _-----=> irqs-off
#                               / _----=> need-resched
#                              | / _---=> hardirq/softirq
#                              || / _--=> preempt-depth
           alpha-100     (    100) [000] d..2  5.000001: tracing_mark_write: hello
           alpha-100     (    100) [000] d..2  5.000002500: sched_switch: prev_comm=alpha prev_pid=100 prev_prio=120 prev_state=S ==> next_comm=beta next_pid=200 next_prio=110
            beta-200     (    200) [000] dN.5  5.000003500: sched_waking: comm=alpha pid=100 prio=120 target_cpu=000
            beta-200     (    200) [000] dN.5  5.000003600: sched_wakeup: comm=alpha pid=100 prio=120 target_cpu=000
            beta-200     (    200) [000] d..2  5.000004000: sched_switch: prev_comm=beta prev_pid=200 prev_prio=110 prev_state=D ==> next_comm=alpha next_pid=100 next_prio=120
           alpha-100     (    100) [000] d..2  5.000006000: sched_switch: prev_comm=alpha prev_pid=100 prev_prio=120 prev_state=S ==> next_comm=swapper/0 next_pid=0 next_prio=120
`;

const TRACE_CMD = `cpus=1
           alpha-100   [000]     5.000001000: print:                hello
           alpha-100   [000]     5.000002500: sched_switch:         alpha:100 [120] S ==> beta:200 [110]
            beta-200   [000]     5.000003500: sched_waking:         alpha:100 [120] CPU:000
            beta-200   [000]     5.000003600: sched_wakeup:         alpha:100 [120]<CANT FAIL> CPU:000
            beta-200   [000]     5.000004000: sched_switch:         beta:200 [110] D ==> alpha:100 [120]
           alpha-100   [000]     5.000006000: sched_switch:         alpha:100 [120] S ==> swapper/0:0 [120]
`;

const tgidAfterCpu = FLAGS_AND_TGID.replace(/(\( +\d+\)) (\[000\])/g, '$2 $1');

describe('the layouts of ftrace text', () => {
  it.each([
    ['the old layout without flags', OLD],
    ['flags and a tgid column', FLAGS_AND_TGID],
    ['a tgid column behind the cpu', tgidAfterCpu],
    ['trace-cmd report', TRACE_CMD],
    ['flags of five columns', FLAGS_AND_TGID.replace(/ (d..\d) /g, ' $1. ')],
    ['lines that end in CR LF', FLAGS_AND_TGID.replaceAll('\n', '\r\n')],
    ['no newline at the end', OLD.trimEnd()],
    ['text before and after the trace', `<pre>\n${OLD}</pre>\nthe end\n`],
  ])('%s gives the same bursts', (_, text) => {
    const { log, summary } = readText(text);
    expect(log).toEqual(EXPECTED);
    expect(summary.durationNs).toBe(5000);
    expect(warningsOf(summary)).toEqual([]);
  });

  it('a header comment moves the column that tells of interrupts', () => {
    const text = `#                              || / _---=> hardirq/softirq
  a-1 [000] d..h3 1.000000: sched_waking: comm=b pid=2 prio=120 target_cpu=000
  a-1 [000] d...3 1.000001: sched_switch: prev_comm=a prev_pid=1 prev_prio=120 prev_state=S ==> next_comm=b next_pid=2 next_prio=120
`;
    expect(readText(text).summary.attribution).toMatchObject({ byInterrupt: 1, byThread: 0 });
  });

  it.each([
    'a b',
    'x-7 [001]',
    'prev_pid=3',
    'a==>b',
    ' lead',
    '(9)',
    '1:2 [3] S',
    'é',
    '[000] 1.5',
  ])('a task may be called "%s"', (comm) => {
    const text = `  ${comm}-10 [000] 1.000000: sched_waking: comm=${comm} pid=11 prio=120 target_cpu=000
  ${comm}-10 [000] 1.000001: sched_switch: prev_comm=${comm} prev_pid=10 prev_prio=120 prev_state=R ==> next_comm=${comm} next_pid=11 next_prio=120
  ${comm}-11 [000] 1.000002: sched_switch: prev_comm=${comm} prev_pid=11 prev_prio=120 prev_state=S ==> next_comm=${comm} next_pid=10 next_prio=120
`;
    const { summary } = readText(text);
    expect(summary.threads.map((each) => [each.tid, each.name])).toEqual([
      [10, comm],
      [11, comm],
    ]);
    expect(warningsOf(summary)).toEqual([]);
  });

  it('trace-cmd report prints such names too', () => {
    const text = `  a:b [1]-10 [000] 1.000000: sched_switch: a:b [1]:10 [120] R+ ==> c ==> d:11 [-1]
  c ==> d-11 [000] 1.000001: sched_switch: c ==> d:11 [-1] S ==> a:b [1]:10 [120]
`;
    const { threads } = readText(text).summary;
    expect(threads.map((each) => [each.tid, each.name, each.linuxPriority])).toEqual([
      [10, 'a:b [1]', 120],
      [11, 'c ==> d', -1],
    ]);
  });

  it('times far from zero keep every nanosecond', () => {
    const text = `  a-1 [000] 9999999999.999999999: sched_switch: prev_comm=a prev_pid=1 prev_prio=120 prev_state=R ==> next_comm=b next_pid=2 next_prio=120
  b-2 [000] 10000000000.000000002: sched_switch: prev_comm=b prev_pid=2 prev_prio=120 prev_state=S ==> next_comm=a next_pid=1 next_prio=120
`;
    expect(readText(text).summary.durationNs).toBe(3);
  });
});
