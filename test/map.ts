import * as bugcheck from '../assembly/shared/bugcheck';
import * as event from '../assembly/shared/event';
import * as layout from '../assembly/shared/layout';
import * as limits from '../assembly/shared/limits';
import * as opcode from '../assembly/shared/opcode';
import * as port from '../assembly/shared/port';
import * as status from '../assembly/shared/status';
import * as types from '../assembly/shared/types';

/** Members of an enum: name and value. */
export type Members = ReadonlyMap<string, number>;

function enumsOf(...modules: readonly object[]): ReadonlyMap<string, Members> {
  const enums = new Map<string, Members>();
  for (const [name, object] of modules.flatMap((module) => Object.entries(module))) {
    // The reverse mapping of numbers to names is not wanted.
    const members = Object.entries(object as Record<string, unknown>).filter(
      (member): member is [string, number] => typeof member[1] === 'number',
    );
    enums.set(name, new Map(members));
  }
  return enums;
}

/** Every enum that both compilers read, as tsc sees it. */
export const SHARED = enumsOf(bugcheck, event, layout, limits, opcode, port, status, types);

/** Members of structs that are no fields: sizes, an address, counts. */
const NO_FIELD = ['Size', 'Address', 'Words', 'SortBinCount'];

/** Bytes of fields that are neither a word nor a pair of words. */
const WIDTHS: Readonly<Record<string, number>> = {
  'DISPATCHER_HEADER.WaitListHead': layout.LIST_ENTRY.Size,
  'KSYSTEM.ObjectTable': layout.KTABLE.Size,
  'KSYSTEM.ThreadTable': layout.KTABLE.Size,
  'KSYSTEM.ProcessTable': layout.KTABLE.Size,
  'KSYSTEM.QueueEntryTable': layout.KTABLE.Size,
  'KSYSTEM.ExtensionTable': layout.KTABLE.Size,
  'KSYSTEM.TrapFrameTable': layout.KTABLE.Size,
  'KSYSTEM.SwapListHead': layout.LIST_ENTRY.Size,
  'KSYSTEM.BugCheckParameter64': 4 * 8,
  'KSYSTEM.HostInstruction': limits.LIMIT.InstructionWords * 4,
  'KPRCB.DispatcherReadyListHead': limits.LIMIT.Priorities * layout.LIST_ENTRY.Size,
  'KPRCB.DpcData': layout.KDPC_DATA.Size,
  'KPRCB.ThreadedDpcData': layout.KDPC_DATA.Size,
  'KWAIT_BLOCK.WaitListEntry': layout.LIST_ENTRY.Size,
  'KTIMER.TimerListEntry': layout.LIST_ENTRY.Size,
  'KTHREAD.WaitListHead': layout.LIST_ENTRY.Size,
  'KTHREAD.WaitListEntry': layout.LIST_ENTRY.Size,
  'KTHREAD.WaitBlock': layout.KWAIT_BLOCK.Size,
  'KTHREAD.Timer': layout.KTIMER.Size,
  'KTHREAD.Register64': limits.LIMIT.ProgramRegisters * 8,
  'KQUEUE.WaitListHead': layout.LIST_ENTRY.Size,
  'KQUEUE.EntryListHead': layout.LIST_ENTRY.Size,
  'KQUEUE.ThreadListHead': layout.LIST_ENTRY.Size,
  'KQUEUE_ENTRY.ListEntry': layout.LIST_ENTRY.Size,
  'KTHREAD_EXTENSION.QueueListEntry': layout.LIST_ENTRY.Size,
  'KTHREAD_EXTENSION.KernelApcListHead': layout.LIST_ENTRY.Size,
  'KTHREAD_EXTENSION.UserApcListHead': layout.LIST_ENTRY.Size,
  'KTHREAD_EXTENSION.SuspendEvent': layout.DISPATCHER_HEADER.Size,
  'KTHREAD_EXTENSION.AlertEvent': layout.DISPATCHER_HEADER.Size,
  'KTRAP_FRAME.Register64': limits.LIMIT.ProgramRegisters * 8,
  'KAPC.ApcListEntry': layout.LIST_ENTRY.Size,
  'KTHREAD.ThreadListEntry': layout.LIST_ENTRY.Size,
  'KPROCESS.WaitListHead': layout.LIST_ENTRY.Size,
  'KPROCESS.ThreadListHead': layout.LIST_ENTRY.Size,
  'KOBJECT.WaitListHead': layout.LIST_ENTRY.Size,
  'KTIMER_OBJECT.WaitListHead': layout.LIST_ENTRY.Size,
  'KTIMER_OBJECT.Timer': layout.KTIMER.Size,
  'KMUTANT.WaitListHead': layout.LIST_ENTRY.Size,
  'KMUTANT.MutantListEntry': layout.LIST_ENTRY.Size,
  'KDPC.DpcListEntry': layout.LIST_ENTRY.Size,
  'KSYSTEM.WaitBlockTable': layout.KTABLE.Size,
  'KWAIT_BLOCK_ROW.WaitBlock': layout.KWAIT_BLOCK.Size,
  'KFLIGHT.StateLine': layout.KFLIGHT.Progress64 - layout.KFLIGHT.StateLine,
  'KFLIGHT.ProgressLine': layout.KFLIGHT.Size - layout.KFLIGHT.ProgressLine,
  'KENGINE.VersionLine': layout.KENGINE.Stop - layout.KENGINE.VersionLine,
  'KENGINE.StopLine': layout.KENGINE.Epoch - layout.KENGINE.StopLine,
  'KENGINE.EpochLine': layout.KENGINE.HostTurn - layout.KENGINE.EpochLine,
  'KENGINE.HostLine': layout.KENGINE.Size - layout.KENGINE.HostLine,
  'PORT_CONTEXT.Own': layout.PORT_CONTEXT.Size - layout.PORT_CONTEXT.Own,
  'KTIMER_TABLE.Occupied64': (limits.LIMIT.TimerLevels + 1) * 8,
  'KTIMER_TABLE.SlotList':
    (limits.LIMIT.TimerLevels * limits.LIMIT.TimerSlots + 1) * layout.LIST_ENTRY.Size,
  'KTIMER_TABLE.SortHead': layout.LIST_ENTRY.Size,
  'KTIMER_TABLE.SortBins': layout.KTIMER_TABLE.SortBinCount * 4,
};

export interface Field {
  readonly name: string;
  readonly offset: number;
  readonly width: number;
}

export interface Struct {
  readonly name: string;
  readonly size: number;
  readonly fields: readonly Field[];
}

function structOf(name: string, members: Members): Struct {
  const fields = [...members]
    .filter(([field]) => !NO_FIELD.includes(field))
    .map(([field, offset]) => ({
      name: field,
      offset,
      width: WIDTHS[`${name}.${field}`] ?? (field.endsWith('64') ? 8 : 4),
    }))
    .sort((a, b) => a.offset - b.offset);
  return { name, size: members.get('Size') as number, fields };
}

/** Every struct of the map, its fields in order of offset. */
export const STRUCTS: readonly Struct[] = [...SHARED]
  .filter(([, members]) => members.has('Size'))
  .map(([name, members]) => structOf(name, members));

const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');

/** The map as text: one line a field, offset and bytes first. */
export function printMap(regions: readonly { name: string; address: number; length: number }[]) {
  const lines: string[] = [];
  for (const struct of STRUCTS) {
    lines.push(`${struct.name}, ${struct.size} bytes`);
    for (const { name, offset, width } of struct.fields)
      lines.push(`  +${hex(offset, 4)}  ${String(width).padStart(5)}  ${name}`);
    lines.push('');
  }
  lines.push('Regions of a machine of 4 processors with default capacities');
  for (const { name, address, length } of regions)
    lines.push(`  ${hex(address, 8)}  ${String(length).padStart(8)}  ${name}`);
  return `${lines.join('\n')}\n`;
}
