import { STATUS } from '../../assembly/shared/status';
import { type KernelCode, systemService } from '../ke/mode';
import { NtCall } from '../machine/guest';
import type { KProcess } from '../machine/views';
import type { Handle } from '../ob/attributes';
import { type InformationBuffer, lengthOf, probeBuffer, type Queried } from '../ob/information';
import { readHandle } from '../ob/services/on-handle';
import { PsProcessType } from '../ob/types';
import { PROCESS_ACCESS } from './access';
import { executiveOf } from './executive';
import type { ImageMachine } from './image';
import { MACHINES } from './image-information';
import { processManager } from './manager';
import { SYSTEM_INFORMATION_CLASS } from './system-class';

/** Which architectures there are, and which is a process's. */

/** SYSTEM_SUPPORTED_PROCESSOR_ARCHITECTURES_INFORMATION; the last entry is of machine 0. */
export interface SupportedArchitecture {
  /** IMAGE_FILE_MACHINE_…. */
  readonly Machine: number;
  readonly KernelMode: boolean;
  readonly UserMode: boolean;
  readonly Native: boolean;
  /** It is that of the process that was asked for. */
  readonly Process: boolean;
  readonly WoW64Container: boolean;
}

const ARCHITECTURE_BYTES = 4;
/** What runs on the machine, its own first. */
const SUPPORTED: readonly ImageMachine[] = ['x64', 'x86'];

function architecturesOf(process: KProcess | undefined): SupportedArchitecture[] {
  const own = process === undefined ? undefined : machineOf(process);
  const entries = SUPPORTED.map((machine) => ({
    Machine: MACHINES[machine],
    KernelMode: machine === 'x64',
    UserMode: true,
    Native: machine === 'x64',
    Process: MACHINES[machine] === own,
    WoW64Container: machine === 'x86',
  }));
  const none = { Native: false, Process: false, WoW64Container: false };
  return [...entries, { Machine: 0, KernelMode: false, UserMode: false, ...none }];
}

/** IMAGE_FILE_MACHINE_… of a process. */
function machineOf(process: KProcess): number {
  const image = executiveOf(processManager(process.machine), process).image;
  return MACHINES[image?.machine ?? 'x64'];
}

const querySystemInformationEx = systemService(
  'QuerySystemInformationEx',
  function* (
    mode,
    systemInformationClass: number,
    inputBuffer: Handle,
    systemInformation: InformationBuffer,
  ): KernelCode<Queried<{ readonly Architectures: readonly SupportedArchitecture[] }>> {
    const failed = (status: number, returnLength?: number) => ({ status, returnLength });
    if (systemInformationClass !== SYSTEM_INFORMATION_CLASS.SystemSupportedProcessorArchitectures)
      return failed(STATUS.INVALID_INFO_CLASS);
    const access = PROCESS_ACCESS.QUERY_LIMITED_INFORMATION;
    const Architectures =
      inputBuffer === 0
        ? architecturesOf(undefined)
        : yield* readHandle(mode, inputBuffer, access, PsProcessType, (process: KProcess) =>
            architecturesOf(process),
          );
    if (typeof Architectures === 'number') return failed(Architectures);
    const needed = Architectures.length * ARCHITECTURE_BYTES;
    if (lengthOf(systemInformation) < needed) return failed(STATUS.BUFFER_TOO_SMALL, needed);
    const status = probeBuffer(systemInformation, 4);
    if (status !== STATUS.SUCCESS) return failed(status);
    return { status, returnLength: needed, Architectures };
  },
);

/**
 * Tells which architectures the machine runs, and which is that of a process (0: of none).
 *
 * @returns STATUS_SUCCESS; STATUS_INVALID_INFO_CLASS; STATUS_BUFFER_TOO_SMALL with the bytes that it
 *   takes; STATUS_INVALID_HANDLE; STATUS_OBJECT_TYPE_MISMATCH; STATUS_ACCESS_DENIED.
 * @irql PASSIVE_LEVEL
 * @nt NtQuerySystemInformationEx (partial: SystemSupportedProcessorArchitectures alone)
 */
export const NtQuerySystemInformationEx = querySystemInformationEx.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwQuerySystemInformationEx (partial: SystemSupportedProcessorArchitectures alone) */
export const ZwQuerySystemInformationEx = querySystemInformationEx.zw;

/** PROCESS_INFORMATION_CLASS of GetProcessInformation. */
export const enum PROCESS_INFORMATION_CLASS {
  ProcessMachineTypeInfo = 9,
}

/** MACHINE_ATTRIBUTES. */
export const enum MACHINE_ATTRIBUTES {
  UserEnabled = 1,
  KernelEnabled = 2,
  Wow64Container = 4,
}

/** PROCESS_MACHINE_INFORMATION. */
export interface ProcessMachineInformation {
  /** IMAGE_FILE_MACHINE_…. */
  readonly ProcessMachine: number;
  readonly MachineAttributes: number;
}

const MACHINE_INFORMATION_BYTES = 8;
const ARCHITECTURES_ROOM = 0x1000;

function attributesOf({ UserMode, KernelMode, WoW64Container }: SupportedArchitecture): number {
  return (
    (UserMode ? MACHINE_ATTRIBUTES.UserEnabled : 0) |
    (KernelMode ? MACHINE_ATTRIBUTES.KernelEnabled : 0) |
    (WoW64Container ? MACHINE_ATTRIBUTES.Wow64Container : 0)
  );
}

/**
 * Tells the architecture of a process, as NtQuerySystemInformationEx marks it. In place of a last error
 * there is the status that it is made of.
 *
 * @returns STATUS_SUCCESS; STATUS_INVALID_INFO_CLASS; STATUS_INFO_LENGTH_MISMATCH; what
 *   NtQuerySystemInformationEx returns.
 * @irql PASSIVE_LEVEL   @nt GetProcessInformation (partial: ProcessMachineTypeInfo alone)
 */
export function GetProcessInformation(
  process: Handle,
  processInformationClass: number,
  processInformationSize: number,
): NtCall<{ readonly status: number } & Partial<ProcessMachineInformation>> {
  return new NtCall('GetProcessInformation', () =>
    getProcessInformation(process, processInformationClass, processInformationSize),
  );
}

function* getProcessInformation(
  process: Handle,
  processInformationClass: number,
  processInformationSize: number,
): KernelCode<{ readonly status: number } & Partial<ProcessMachineInformation>> {
  if (processInformationClass !== PROCESS_INFORMATION_CLASS.ProcessMachineTypeInfo)
    return { status: STATUS.INVALID_INFO_CLASS };
  if (processInformationSize !== MACHINE_INFORMATION_BYTES)
    return { status: STATUS.INFO_LENGTH_MISMATCH };
  const supported = SYSTEM_INFORMATION_CLASS.SystemSupportedProcessorArchitectures;
  const { status, Architectures = [] } = yield* NtQuerySystemInformationEx(
    supported,
    process,
    ARCHITECTURES_ROOM,
  );
  const own = Architectures.find(({ Process }) => Process);
  if (own === undefined) return { status };
  return { status, ProcessMachine: own.Machine, MachineAttributes: attributesOf(own) };
}
