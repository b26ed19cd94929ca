export { BUGCHECK } from '../assembly/shared/bugcheck';
export { EVENT, PRIORITY_CHANGE, RECORD, VECTOR } from '../assembly/shared/event';
export { CONDITION, OP } from '../assembly/shared/opcode';
export { STATUS } from '../assembly/shared/status';
export {
  GUEST,
  IRQL,
  KTHREAD_STATE,
  KWAIT_REASON,
  MODE,
  PRIORITY_CLASS,
} from '../assembly/shared/types';
export {
  KeDelayExecutionThread,
  KeReleaseSemaphore,
  KeSetEvent,
  KeStallExecutionProcessor,
  KeWaitForSingleObject,
  NtYieldExecution,
  PsTerminateSystemThread,
} from './ke/ddi';
export { MachineError } from './machine/errors';
export { type CpuPort, type HostBody, NtCall, type PortResult } from './machine/guest';
export { Machine, type ProcessOptions } from './machine/machine';
export type { Capacities, CoreSource, MachineOptions } from './machine/options';
export {
  decodePrioritySeparation,
  type MachineProfile,
  PROFILES,
  type ProfileOptions,
  type QuantumTable,
} from './machine/profile';
export {
  Label,
  type LoadedProgram,
  type Program,
  ProgramBuilder,
  program,
  Register,
} from './machine/program';
export { decodeRecord, type RecordBatch, type TraceRecord } from './machine/records';
export type { BugCheckReport, RunOptions, RunResult, ThreadLeft } from './machine/result';
export { KEvent, KProcess, KSemaphore, KThread, type ThreadOptions } from './machine/views';
export type { BurstSink } from './workload/bursts';
export { InputDamaged, RecordingError } from './workload/errors';
export { ScheduleFigures, type ScheduleTally, ThreadTally } from './workload/figures';
export { RecordingReader, readRecording } from './workload/ftrace';
export { Histogram } from './workload/histogram';
export { mapPriority, type Policy } from './workload/policy';
export { Replay, type ReplayedFigures, type ReplayOptions } from './workload/replay';
export {
  type RecordingReplay,
  type ReplayRecordingOptions,
  replayRecording,
} from './workload/replay-recording';
export type {
  ProcessorReport,
  ProcessReport,
  ReadyFigures,
  ReplayReport,
  RunReport,
  ScheduleReport,
  ThreadReport,
} from './workload/report';
export { recordedFigures, reportReplay } from './workload/report';
export type {
  Attribution,
  RecordedProcess,
  RecordingSummary,
  RecordingWarning,
  ThreadFigures,
} from './workload/summary';
