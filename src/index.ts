export { BUGCHECK } from '../assembly/shared/bugcheck';
export { EVENT, PRIORITY_CHANGE, RECORD, RECORD_HEADER, VECTOR } from '../assembly/shared/event';
export { PORT_CONTEXT } from '../assembly/shared/layout';
export { CONDITION, OP } from '../assembly/shared/opcode';
export { STATUS } from '../assembly/shared/status';
export {
  GUEST,
  FRAME,
  IRQL,
  KAPC_ENVIRONMENT,
  KE_PROCESSOR_CHANGE_NOTIFY_STATE,
  KTHREAD_STATE,
  KWAIT_REASON,
  MODE,
  PORT_STOP,
  PRIORITY_CLASS,
  TIMER_TYPE,
  WAIT_TYPE,
} from '../assembly/shared/types';
export { type KeyValue, REG } from './cm/key';
export {
  type CreatedKey,
  KEY_ACCESS,
  NtCreateKey,
  NtDeleteKey,
  NtDeleteValueKey,
  NtEnumerateKey,
  NtEnumerateValueKey,
  NtOpenKey,
  NtQueryValueKey,
  NtSetValueKey,
  type QueriedValue,
  ZwCreateKey,
  ZwDeleteKey,
  ZwDeleteValueKey,
  ZwEnumerateKey,
  ZwEnumerateValueKey,
  ZwOpenKey,
  ZwQueryValueKey,
  ZwSetValueKey,
} from './cm/services';
export {
  type CallbackFunction,
  CallbackObject,
  CallbackRegistration,
  ExNotifyCallback,
  ExRegisterCallback,
  ExUnregisterCallback,
} from './ex/callback';
export {
  ExRaiseAccessViolation,
  ExRaiseDatatypeMisalignment,
  ExRaiseStatus,
} from './ex/exception';
export {
  EResource,
  type ResourceThread,
  resourceOwnerPointer,
  systemResources,
} from './ex/eresource';
export {
  ExAcquireFastMutex,
  ExAcquireFastMutexUnsafe,
  ExEnterCriticalRegionAndAcquireFastMutexUnsafe,
  ExiAcquireFastMutex,
  ExInitializeFastMutex,
  ExiReleaseFastMutex,
  ExiTryToAcquireFastMutex,
  ExReleaseFastMutex,
  ExReleaseFastMutexUnsafe,
  ExReleaseFastMutexUnsafeAndLeaveCriticalRegion,
  ExTryToAcquireFastMutex,
  FastMutex,
} from './ex/fast-mutex';
export {
  ExInterlockedAddLargeInteger,
  ExInterlockedAddLargeStatistic,
  ExInterlockedAddUlong,
  ExInterlockedDecrementLong,
  ExInterlockedIncrementLong,
  INTERLOCKED_RESULT,
  InterlockedAdd,
  InterlockedAdd64,
  InterlockedAnd,
  InterlockedAnd64,
  InterlockedBitTestAndReset,
  InterlockedBitTestAndSet,
  InterlockedCompareExchange,
  InterlockedCompareExchange64,
  InterlockedCompareExchangePointer,
  InterlockedDecrement,
  InterlockedDecrement64,
  InterlockedExchange,
  InterlockedExchange64,
  InterlockedExchangeAdd,
  InterlockedExchangeAdd64,
  InterlockedExchangePointer,
  InterlockedIncrement,
  InterlockedIncrement64,
  InterlockedOr,
  InterlockedOr64,
  InterlockedXor,
  InterlockedXor64,
  type Long64Variable,
  type LongVariable,
  type PointerVariable,
} from './ex/interlocked';
export {
  ExInterlockedInsertHeadList,
  ExInterlockedInsertTailList,
  ExInterlockedPopEntryList,
  ExInterlockedPushEntryList,
  ExInterlockedRemoveHeadList,
  InitializeListHead,
  InsertHeadList,
  InsertTailList,
  IsListEmpty,
  ListEntry,
  PopEntryList,
  PushEntryList,
  RemoveEntryList,
  RemoveHeadList,
  RemoveTailList,
  SingleListEntry,
} from './ex/list';
export {
  EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE,
  EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL,
  ExAllocateFromLookasideListEx,
  ExAllocateFromNPagedLookasideList,
  ExAllocateFromPagedLookasideList,
  ExDeleteLookasideListEx,
  ExDeleteNPagedLookasideList,
  ExDeletePagedLookasideList,
  ExFlushLookasideListEx,
  ExFreeToLookasideListEx,
  ExFreeToNPagedLookasideList,
  ExFreeToPagedLookasideList,
  ExInitializeLookasideListEx,
  ExInitializeNPagedLookasideList,
  ExInitializePagedLookasideList,
  type LookasideAllocate,
  type LookasideFree,
  LookasideList,
} from './ex/lookaside';
export {
  ExAllocatePool2,
  ExAllocatePoolWithQuota,
  ExAllocatePoolWithQuotaTag,
  ExAllocatePoolWithTag,
  ExFreePool,
  ExFreePoolWithTag,
  POOL_FLAG_CACHE_ALIGNED,
  POOL_FLAG_NON_PAGED,
  POOL_FLAG_NON_PAGED_EXECUTE,
  POOL_FLAG_PAGED,
  POOL_FLAG_RAISE_ON_FAILURE,
  POOL_FLAG_UNINITIALIZED,
  POOL_FLAG_USE_QUOTA,
  POOL_QUOTA_FAIL_INSTEAD_OF_RAISE,
  POOL_TYPE,
  PoolBlock,
  type PoolTagUsage,
  poolUsage,
} from './ex/pool';
export {
  ExInitializeSListHead,
  ExInterlockedFlushSList,
  ExInterlockedPopEntrySList,
  ExInterlockedPushEntrySList,
  ExQueryDepthSList,
  SListEntry,
  SListHeader,
} from './ex/slist';
export {
  EX_PUSH_LOCK_FLAG_DISABLE_AUTOBOOST,
  ExAcquirePushLockExclusive,
  ExAcquirePushLockExclusiveEx,
  ExAcquirePushLockShared,
  ExAcquirePushLockSharedEx,
  ExfAcquirePushLockExclusive,
  ExfAcquirePushLockShared,
  ExfReleasePushLock,
  ExfReleasePushLockExclusive,
  ExfReleasePushLockShared,
  ExInitializePushLock,
  ExPushLock,
  ExReleasePushLockExclusive,
  ExReleasePushLockExclusiveEx,
  ExReleasePushLockShared,
  ExReleasePushLockSharedEx,
  FsRtlAllocateAePushLock,
  FsRtlFreeAePushLock,
} from './ex/push-lock';
export {
  IoAcquireRemoveLock,
  IoInitializeRemoveLock,
  IoReleaseRemoveLock,
  IoReleaseRemoveLockAndWait,
  IoRemoveLock,
} from './ex/remove-lock';
export {
  ExAcquireResourceExclusiveLite,
  ExAcquireResourceSharedLite,
  ExAcquireSharedStarveExclusive,
  ExAcquireSharedWaitForExclusive,
  ExConvertExclusiveToSharedLite,
  ExDeleteResourceLite,
  ExDisableResourceBoostLite,
  ExEnterCriticalRegionAndAcquireResourceExclusive,
  ExEnterCriticalRegionAndAcquireResourceShared,
  ExEnterCriticalRegionAndAcquireSharedWaitForExclusive,
  ExGetCurrentResourceThread,
  ExGetExclusiveWaiterCount,
  ExGetSharedWaiterCount,
  ExInitializeResourceLite,
  ExIsResourceAcquiredExclusiveLite,
  ExIsResourceAcquiredLite,
  ExIsResourceAcquiredSharedLite,
  ExReinitializeResourceLite,
  ExReleaseResourceAndLeaveCriticalRegion,
  ExReleaseResourceForThreadLite,
  ExReleaseResourceLite,
  ExSetResourceOwnerPointer,
  ExSetResourceOwnerPointerEx,
  FLAG_OWNER_POINTER_IS_THREAD,
} from './ex/resource';
export {
  ExAcquireRundownProtection,
  ExAcquireRundownProtectionEx,
  ExInitializeRundownProtection,
  ExReInitializeRundownProtection,
  ExReleaseRundownProtection,
  ExReleaseRundownProtectionEx,
  ExRundownCompleted,
  ExRundownRef,
  ExWaitForRundownProtectionRelease,
} from './ex/rundown';
export {
  ExAcquireRundownProtectionCacheAware,
  ExAcquireRundownProtectionCacheAwareEx,
  ExAllocateCacheAwareRundownProtection,
  ExFreeCacheAwareRundownProtection,
  ExInitializeRundownProtectionCacheAware,
  ExReInitializeRundownProtectionCacheAware,
  ExReleaseRundownProtectionCacheAware,
  ExReleaseRundownProtectionCacheAwareEx,
  ExRundownCompletedCacheAware,
  ExRundownRefCacheAware,
  ExSizeOfRundownProtectionCacheAware,
  ExWaitForRundownProtectionReleaseCacheAware,
} from './ex/rundown-cache-aware';
export {
  EX_TIMER_HIGH_RESOLUTION,
  EX_TIMER_NO_WAKE,
  EX_TIMER_NOTIFICATION,
  EX_TIMER_UNLIMITED_TOLERANCE,
  ExAllocateTimer,
  ExCancelTimer,
  ExDeleteTimer,
  ExInitializeDeleteTimerParameters,
  ExInitializeSetTimerParameters,
  ExSetTimer,
  ExTimer,
  type ExTimerCallback,
  type ExTimerDeleteCallback,
  type ExtDeleteParameters,
  type ExtSetParameters,
} from './ex/timer';
export {
  type GroupAffinity,
  KeRevertToUserAffinityThread,
  KeRevertToUserAffinityThreadEx,
  KeRevertToUserGroupAffinityThread,
  KeSetIdealProcessorThread,
  KeSetIdealProcessorThreadEx,
  KeSetSystemAffinityThread,
  KeSetSystemAffinityThreadEx,
  KeSetSystemGroupAffinityThread,
} from './ke/affinity';
export {
  type CompletionPacket,
  IO_COMPLETION,
  NtCreateIoCompletion,
  NtOpenIoCompletion,
  NtQueryIoCompletion,
  NtRemoveIoCompletion,
  NtRemoveIoCompletionEx,
  NtSetIoCompletion,
  type RemovedPackets,
  ZwCreateIoCompletion,
  ZwOpenIoCompletion,
  ZwQueryIoCompletion,
  ZwRemoveIoCompletion,
  ZwRemoveIoCompletionEx,
  ZwSetIoCompletion,
} from './io/completion';
export {
  FsRtlCancellableWaitForMultipleObjects,
  FsRtlCancellableWaitForSingleObject,
} from './io/cancellable';
export {
  type FileDevice,
  type FileMode,
  IoRequest,
  type IoStatusBlock,
  KFile,
  NtCancelIoFile,
  NtCreateFile,
  NtFsControlFile,
  ZwCancelIoFile,
  ZwCreateFile,
  ZwFsControlFile,
} from './io/file';
export {
  type ApcState,
  KeAlertResumeThread,
  KeAlertThread,
  KeAttachProcess,
  KeDetachProcess,
  KeForceResumeThread,
  KeInitializeApc,
  KeInsertQueueApc,
  KeRemoveQueueApc,
  KeResumeThread,
  KeStackAttachProcess,
  KeSuspendThread,
  KeTestAlertThread,
  KeUnstackDetachProcess,
} from './ke/apc';
export { KeBugCheck, KeBugCheckEx } from './ke/bugcheck';
export { IoCreateDevice, IoDeleteDevice } from './ex/device';
export {
  IoAllocateWorkItem,
  IoFreeWorkItem,
  IoInitializeWorkItem,
  IoQueueWorkItem,
  IoQueueWorkItemEx,
  IoSizeofWorkItem,
  IoTryQueueWorkItem,
  IoUninitializeWorkItem,
  IoWorkItem,
  type IoWorkItemRoutine,
  type IoWorkItemRoutineEx,
} from './ex/io-work-item';
export {
  ExInitializeWorkItem,
  ExQueueWorkItem,
  WORK_QUEUE_TYPE,
  WorkItemError,
  WorkQueueItem,
  type WorkerThreadRoutine,
} from './ex/worker';
export { type Timeout, VerifierError } from './ke/call';
export {
  KeClearEvent,
  KePulseEvent,
  KeReadStateEvent,
  KeReadStateMutex,
  KeReadStateSemaphore,
  KeReleaseMutant,
  KeReleaseMutex,
  KeReleaseSemaphore,
  KeResetEvent,
  KeSetEvent,
  KeStallExecutionProcessor,
  KeReadStateMutant,
  KeWaitForMultipleObjects,
  KeWaitForMutexObject,
  KeWaitForSingleObject,
} from './ke/ddi';
export {
  DeviceQueue,
  DeviceQueueEntry,
  KeInitializeDeviceQueue,
  KeInsertByKeyDeviceQueue,
  KeInsertDeviceQueue,
  KeRemoveByKeyDeviceQueue,
  KeRemoveDeviceQueue,
  KeRemoveEntryDeviceQueue,
} from './ke/device-queue';
export {
  type DpcWatchdogInformation,
  KeFlushQueuedDpcs,
  KeInitializeDpc,
  KeInitializeThreadedDpc,
  KeInsertQueueDpc,
  KeIsExecutingDpc,
  KeQueryDpcWatchdogInformation,
  KeRemoveQueueDpc,
  KeSetImportanceDpc,
  KeSetTargetProcessorDpc,
  KeSetTargetProcessorDpcEx,
  KeShouldYieldProcessor,
} from './ke/dpc';
export {
  KeRestoreFloatingPointState,
  KeSaveFloatingPointState,
  KFloatingSave,
} from './ke/floating-point';
export {
  type BroadcastFunction,
  KeGenericCallDpc,
  KeIpiGenericCall,
  KeSignalCallDpcDone,
  KeSignalCallDpcSynchronize,
} from './ke/generic-call';
export {
  KeAcquireGuardedMutex,
  KeAcquireGuardedMutexUnsafe,
  KeInitializeGuardedMutex,
  KeReleaseGuardedMutex,
  KeReleaseGuardedMutexUnsafe,
  KeTryToAcquireGuardedMutex,
  KGuardedMutex,
} from './ke/guarded-mutex';
export {
  EVENT_TYPE,
  KeInitializeEvent,
  KeInitializeMutex,
  KeInitializeSemaphore,
} from './ke/initialize';
export { IoConnectInterrupt, IoDisconnectInterrupt, KINTERRUPT_MODE } from './ke/interrupt';
export {
  FsRtlEnterFileSystem,
  FsRtlExitFileSystem,
  KeAreAllApcsDisabled,
  KeAreApcsDisabled,
  KeEnterCriticalRegion,
  KeEnterGuardedRegion,
  KeGetCurrentIrql,
  KeLeaveCriticalRegion,
  KeLeaveGuardedRegion,
  KeLowerIrql,
  KeRaiseIrql,
  KeRaiseIrqlToDpcLevel,
  KeRaiseIrqlToSynchLevel,
} from './ke/irql';
export { ExGetPreviousMode, KeGetPreviousMode } from './ke/mode';
export {
  KeQueryPriorityThread,
  KeSetBasePriorityThread,
  KeSetPriorityThread,
} from './ke/priority';
export { type CycleTime, KeQueryRuntimeThread, KeQueryTotalCycleTimeThread } from './ke/runtime';
export {
  KeInsertHeadQueue,
  KeInsertQueue,
  KeReadStateQueue,
  KeRemoveQueue,
  KeRemoveQueueEx,
  KeRundownQueue,
  KeSetEventBoostPriority,
  KeSignalGateBoostPriority,
  KeWaitForGate,
  type RemovedEntry,
} from './ke/queue';
export {
  ExAcquireSpinLockExclusive,
  ExAcquireSpinLockExclusiveAtDpcLevel,
  ExAcquireSpinLockShared,
  ExAcquireSpinLockSharedAtDpcLevel,
  ExReleaseSpinLockExclusive,
  ExReleaseSpinLockExclusiveFromDpcLevel,
  ExReleaseSpinLockShared,
  ExReleaseSpinLockSharedFromDpcLevel,
  ExTryConvertSharedSpinLockExclusive,
  IoAcquireCancelSpinLock,
  IoReleaseCancelSpinLock,
  KeAcquireInStackQueuedSpinLock,
  KeAcquireInStackQueuedSpinLockAtDpcLevel,
  KeAcquireInStackQueuedSpinLockForDpc,
  KeAcquireInterruptSpinLock,
  KeAcquireSpinLock,
  KeAcquireSpinLockAtDpcLevel,
  KeAcquireSpinLockForDpc,
  KeAcquireSpinLockRaiseToDpc,
  KeAcquireSpinLockRaiseToSynch,
  KeReleaseInStackQueuedSpinLock,
  KeReleaseInStackQueuedSpinLockForDpc,
  KeReleaseInStackQueuedSpinLockFromDpcLevel,
  KeReleaseInterruptSpinLock,
  KeReleaseSpinLock,
  KeReleaseSpinLockForDpc,
  KeReleaseSpinLockFromDpcLevel,
  KeSynchronizeExecution,
  KeTestSpinLock,
  KeTryToAcquireSpinLockAtDpcLevel,
  type KLockQueueHandle,
  lockQueueHandle,
} from './ke/spinlock';
export {
  declareStack,
  type ExpandStackCallout,
  IoGetRemainingStackSize,
  IoGetStackLimits,
  IoWithinStackLimits,
  KeExpandKernelStackAndCallout,
  KeExpandKernelStackAndCalloutEx,
  KeSetKernelStackSwapEnable,
  withStack,
} from './ke/stack';
export {
  ExQueryTimerResolution,
  ExSetTimerResolution,
  KeDelayExecutionThread,
  KeQueryInterruptTime,
  KeQueryInterruptTimePrecise,
  KeQueryPerformanceCounter,
  KeQuerySystemTime,
  KeQuerySystemTimePrecise,
  KeQueryTickCount,
  KeQueryTimeIncrement,
  KeQueryUnbiasedInterruptTime,
  NtQueryTimerResolution,
  NtSetTimerResolution,
  NtYieldExecution,
  type TimerResolutions,
  ZwSetSystemTime,
  ZwYieldExecution,
} from './ke/time';
export {
  KeCancelTimer,
  KeInitializeTimer,
  KeInitializeTimerEx,
  KeReadStateTimer,
  KeSetCoalescableTimer,
  KeSetTimer,
  KeSetTimerEx,
} from './ke/timer';
export {
  ALL_PROCESSOR_GROUPS,
  INVALID_PROCESSOR_INDEX,
  KE_PROCESSOR_CHANGE_ADD_EXISTING,
  KeDeregisterProcessorChangeCallback,
  KeGetCurrentNodeNumber,
  KeGetCurrentProcessorNumber,
  KeGetCurrentProcessorNumberEx,
  KeGetProcessorIndexFromNumber,
  KeGetProcessorNumberFromIndex,
  KeQueryActiveGroupCount,
  KeQueryActiveProcessorCount,
  KeQueryActiveProcessorCountEx,
  KeQueryActiveProcessors,
  KeQueryGroupAffinity,
  KeQueryHighestNodeNumber,
  KeQueryMaximumGroupCount,
  KeQueryMaximumProcessorCountEx,
  KeRegisterProcessorChangeCallback,
  NtGetCurrentProcessorNumber,
  NtGetCurrentProcessorNumberEx,
  type ProcessorCallbackFunction,
  ProcessorCallbackRegistration,
  type ProcessorChangeNotifyContext,
  type ProcessorNumber,
  ZwGetCurrentProcessorNumber,
  ZwGetCurrentProcessorNumberEx,
} from './ke/topology';
export type { AnyCallHandler, CallHandler } from './machine/answers';
export { KBarrier } from './machine/barrier';
export {
  type ApcCall,
  type ApcOptions,
  KApc,
  type KernelRoutine,
  type NormalRoutine,
  type RundownRoutine,
} from './machine/apc';
export { Clock } from './machine/clock';
export { disassemble } from './machine/disassemble';
export { type DeferredRoutine, type GuestResult, KDpc } from './machine/dpc';
export {
  DeviceObject,
  type DriverImage,
  type DriverImageOptions,
  type DriverInitialize,
  type DriverLeftover,
  type DriverLoadHook,
  DriverObject,
  type DriverOptions,
  Drivers,
  DriverUnloadError,
  type DriverUnloadRoutine,
  IMAGE_DLLCHARACTERISTICS,
  IoObject,
  type UnloadCheck,
} from './machine/driver';
export { InputError, MachineError, WorkerError } from './machine/errors';
export type { CallRoutine } from './machine/frames';
export {
  type CpuPort,
  type HostBody,
  NtCall,
  NtStatusError,
  type PortResult,
} from './machine/guest';
export type { ObjectOperand } from './machine/instruction';
export type { Created, Lifecycle } from './machine/lifecycle';
export { KernelStackOverflow, type StackFrame } from './machine/kernel-stack';
export {
  Machine,
  type ProcessOptions,
} from './machine/machine';
export type {
  Capacities,
  CoreImports,
  CoreMemory,
  CoreModule,
  CoreSource,
  MachineOptions,
  Topology,
} from './machine/options';
export type { PortCore, PortEnvironment, PortModule } from './machine/port';
export { LoadedPort, type PortOptions } from './machine/ports';
export {
  decodePrioritySeparation,
  type MachineCosts,
  type MachineProfile,
  PROFILES,
  type ProfileOptions,
  type QuantumTable,
} from './machine/profile';
export {
  type Duration,
  Label,
  type LoadedProgram,
  type Program,
  ProgramBuilder,
  program,
  Register,
  type WaitOptions,
} from './machine/program';
export { KGate, KQueue } from './machine/queue';
export type { UserMemory, UserRegisters } from './machine/user-context';
export {
  decodeRecord,
  type RecordBatch,
  type TraceNames,
  type TraceRecord,
} from './machine/records';
export type {
  BugCheckReport,
  DeadlockLink,
  RunOptions,
  RunResult,
  ThreadLeft,
} from './machine/result';
export { analyzeBugCheck } from './machine/analyze';
export { BUGCHECKS_NOT_RAISED, type NotRaised } from './machine/explanations';
export {
  type InterruptOptions,
  KInterrupt,
  KSpinLock,
  type ServiceRoutine,
} from './machine/spinlock';
export {
  KEvent,
  KernelObject,
  KMutant,
  KProcess,
  KSemaphore,
  KThread,
  KTimer,
  type ThreadOptions,
} from './machine/views';
export { WorkerPool } from './machine/worker-pool';
export { ACCESS, type GenericMapping, RtlMapGenericMask } from './ob/access';
export {
  type Handle,
  type HandleResult,
  OBJ,
  type ObjectAttributes,
  type ObjectResult,
  type UnicodeString,
} from './ob/attributes';
export {
  type CallbackRegistrationResult,
  OB_FLT_REGISTRATION_VERSION,
  OB_OPERATION,
  OB_PREOP_SUCCESS,
  ObCallbackHandle,
  type ObCallbackRegistration,
  ObGetFilterVersion,
  ObjectCallbacks,
  type ObOperationRegistration,
  type ObPostOperationCallback,
  type ObPostOperationInformation,
  type ObPreHandleInformation,
  type ObPreOperationCallback,
  type ObPreOperationInformation,
  ObRegisterCallbacks,
  ObUnRegisterCallbacks,
  objectCallbacks,
} from './ob/callbacks';
export { ObjectDirectory, SymbolicLink } from './ob/directory';
export { DUPLICATE, NtDuplicateObject, ZwDuplicateObject } from './ob/duplicate';
export {
  NtClose,
  ObCloseHandle,
  type ObjectHandleInformation,
  ObIsKernelHandle,
  ObOpenObjectByPointer,
  ObReferenceObjectByHandle,
  ZwClose,
} from './ob/handle';
export { everyHandle, handleCount, handlesOf, type OpenHandle } from './ob/handles';
export type { InformationBuffer, Queried } from './ob/information';
export {
  IoCreateNotificationEvent,
  IoCreateSynchronizationEvent,
  type NamedEvent,
} from './ob/io-event';
export {
  NtMakePermanentObject,
  NtMakeTemporaryObject,
  ObCreateObject,
  ObCreateObjectType,
  ObInsertObject,
  type ObjectTypeResult,
  ObMakeTemporaryObject,
  ObOpenObjectByName,
  ObReferenceObjectByName,
  ZwMakePermanentObject,
  ZwMakeTemporaryObject,
} from './ob/namespace';
export { HostObject, type ObjectBody } from './ob/object';
export type { ParseContext, ParseResult } from './ob/parse';
export {
  NtCompareObjects,
  NtQueryObject,
  NtSetInformationObject,
  OBJECT_INFORMATION_CLASS,
  type ObjectBasicInformation,
  type ObjectHandleFlagInformation,
  type ObjectNameInformation,
  type ObjectTypeInformation,
  type ObjectTypesInformation,
  ObQueryNameString,
  ObSetHandleAttributes,
  type WrittenString,
  ZwCompareObjects,
  ZwQueryObject,
  ZwSetInformationObject,
} from './ob/query';
export {
  ObDereferenceObject,
  ObDereferenceObjectDeferDelete,
  ObGetObjectType,
  ObReferenceObject,
  ObReferenceObjectByPointer,
} from './ob/reference';
export {
  ACCOUNTS,
  type PrivilegeAndAttributes,
  SE_GROUP,
  SE_PRIVILEGE,
  SE_PRIVILEGE_ATTRIBUTE,
  SID,
  type SidAndAttributes,
  type TokenDescription,
} from './ob/privilege';
export { SeSinglePrivilegeCheck } from './ob/security';
export { SECURITY_IMPERSONATION_LEVEL, Token, TOKEN_TYPE } from './ob/token';
export { type CreatedCallback, ExCreateCallback } from './ob/services/callback';
export {
  DEBUG_ACCESS,
  DEBUG_KILL_ON_CLOSE,
  DebugObject,
  NtCreateDebugObject,
  ZwCreateDebugObject,
} from './ob/services/debug-object';
export {
  DIRECTORY_ACCESS,
  type DirectoryQuery,
  NtCreateDirectoryObject,
  NtOpenDirectoryObject,
  NtQueryDirectoryObject,
  type ObjectDirectoryInformation,
  ZwCreateDirectoryObject,
  ZwOpenDirectoryObject,
  ZwQueryDirectoryObject,
} from './ob/services/directory';
export {
  EVENT_ACCESS,
  EVENT_INFORMATION_CLASS,
  type EventBasicInformation,
  NtClearEvent,
  NtCreateEvent,
  NtOpenEvent,
  NtPulseEvent,
  NtQueryEvent,
  NtResetEvent,
  NtSetEvent,
  NtSetEventBoostPriority,
  ZwClearEvent,
  ZwCreateEvent,
  ZwOpenEvent,
  ZwPulseEvent,
  ZwQueryEvent,
  ZwResetEvent,
  ZwSetEvent,
  ZwSetEventBoostPriority,
} from './ob/services/event';
export {
  KEYEDEVENT_ACCESS,
  NtCreateKeyedEvent,
  NtOpenKeyedEvent,
  NtReleaseKeyedEvent,
  NtWaitForKeyedEvent,
  ZwCreateKeyedEvent,
  ZwOpenKeyedEvent,
  ZwReleaseKeyedEvent,
  ZwWaitForKeyedEvent,
} from './ob/services/keyed-event';
export {
  MUTANT_ACCESS,
  MUTANT_INFORMATION_CLASS,
  type MutantBasicInformation,
  NtCreateMutant,
  NtOpenMutant,
  NtQueryMutant,
  NtReleaseMutant,
  ZwCreateMutant,
  ZwOpenMutant,
  ZwQueryMutant,
  ZwReleaseMutant,
} from './ob/services/mutant';
export type { PreviousState } from './ob/services/on-handle';
export {
  NtCreateSection,
  NtOpenSection,
  SEC,
  SECTION_ACCESS,
  SectionObject,
  ZwCreateSection,
  ZwOpenSection,
} from './ob/services/section';
export {
  NtCreateSemaphore,
  NtOpenSemaphore,
  NtQuerySemaphore,
  NtReleaseSemaphore,
  SEMAPHORE_ACCESS,
  SEMAPHORE_INFORMATION_CLASS,
  type SemaphoreBasicInformation,
  ZwCreateSemaphore,
  ZwOpenSemaphore,
  ZwQuerySemaphore,
  ZwReleaseSemaphore,
} from './ob/services/semaphore';
export {
  type LinkQuery,
  type LinkTarget,
  NtCreateSymbolicLinkObject,
  NtOpenSymbolicLinkObject,
  NtQuerySymbolicLinkObject,
  SYMBOLIC_LINK_ACCESS,
  ZwCreateSymbolicLinkObject,
  ZwOpenSymbolicLinkObject,
  ZwQuerySymbolicLinkObject,
} from './ob/services/symbolic-link';
export {
  type CurrentState,
  NtCancelTimer,
  NtCreateTimer,
  NtOpenTimer,
  NtQueryTimer,
  NtSetTimer,
  TIMER_ACCESS,
  TIMER_INFORMATION_CLASS,
  type TimerBasicInformation,
  ZwCancelTimer,
  ZwCreateTimer,
  ZwOpenTimer,
  ZwQueryTimer,
  ZwSetTimer,
} from './ob/services/timer';
export type { TimerApcRoutine } from './ob/services/timer-apc';
export {
  NtSignalAndWaitForSingleObject,
  NtWaitForMultipleObjects,
  NtWaitForSingleObject,
  ZwSignalAndWaitForSingleObject,
  ZwWaitForMultipleObjects,
  ZwWaitForSingleObject,
} from './ob/services/wait';
export { ObjectManager, objectManager, type TypeStatistics } from './ob/state';
export { ObjectType, type ObjectTypeInitializer, type ObjectTypeProcedures } from './ob/type';
export {
  CmKeyObjectType,
  ExCallbackObjectType,
  ExDesktopObjectType,
  ExEventObjectType,
  ExMutantObjectType,
  ExpKeyedEventObjectType,
  ExSemaphoreObjectType,
  ExTimerObjectType,
  IoDeviceObjectType,
  IoDriverObjectType,
  IoFileObjectType,
  MmSectionObjectType,
  PsJobType,
  PsProcessType,
  PsThreadType,
  SeTokenObjectType,
} from './ob/types';
export { type AssembleOptions, assemblePort, type PortImage } from './port/assemble';
export { disassemblePort } from './port/disassemble';
export { PortGuests, type PortGuestsOptions } from './port/guests';
export {
  PORT_INSTRUCTIONS,
  PORT_SHORTHANDS,
  type PortInstruction,
  type PortOperand,
} from './port/instructions';
export { AssemblyError } from './port/lexer';
export { type PortStateOptions, portState } from './port/state';
export { JOB_OBJECT_ACCESS, PROCESS_ACCESS, THREAD_ACCESS } from './ps/access';
export type { ClientId } from './ps/cid';
export { ZwLoadDriver, ZwUnloadDriver } from './ps/driver';
export {
  NtAlertResumeThread,
  NtResumeProcess,
  NtResumeThread,
  NtSuspendProcess,
  NtSuspendThread,
  NtTerminateProcess,
  NtTerminateThread,
  type SuspendCount,
  ZwAlertResumeThread,
  ZwResumeProcess,
  ZwResumeThread,
  ZwSuspendProcess,
  ZwSuspendThread,
  ZwTerminateProcess,
  ZwTerminateThread,
} from './ps/control-services';
export {
  type CreatedProcess,
  type CreatedThread,
  type InitialContext,
  NtCreateThread,
  NtCreateThreadEx,
  NtCreateUserProcess,
  PROCESS_CREATE_FLAGS,
  type ProcessAttributeList,
  THREAD_CREATE_FLAGS,
  type ThreadAttributeList,
  type UserProcessParameters,
  type UserStartRoutine,
  ZwCreateThread,
  ZwCreateThreadEx,
  ZwCreateUserProcess,
} from './ps/create-services';
export { type NewProcessOptions, ProcessCreation } from './ps/embed';
export type { FileObject } from './ps/file';
export {
  IoGetCurrentProcess,
  IoThreadToProcess,
  KeGetCurrentThread,
  type LookedUpProcess,
  type LookedUpThread,
  NtBuildNumber,
  PsGetCurrentProcess,
  PsGetCurrentProcessId,
  PsGetCurrentThread,
  PsGetCurrentThreadId,
  PsGetCurrentThreadTeb,
  PsGetProcessCreateTimeQuadPart,
  PsGetProcessExitStatus,
  PsGetProcessExitTime,
  PsGetProcessId,
  PsGetProcessImageFileName,
  PsGetProcessInheritedFromUniqueProcessId,
  PsGetProcessPeb,
  PsGetProcessStartKey,
  PsGetThreadCreateTime,
  PsGetThreadExitStatus,
  PsGetThreadId,
  PsGetThreadProcessId,
  PsGetVersion,
  PsIsThreadTerminating,
  PsLookupProcessByProcessId,
  PsLookupThreadByThreadId,
  RtlGetVersion,
  SeLocateProcessImageName,
  type VersionInformation,
  ZwCurrentProcess,
  ZwCurrentThread,
} from './ps/identity';
export {
  DLL_REASON,
  type DllMain,
  Image,
  ImageCatalogue,
  type ImageHeader,
  type ImageInfo,
  type ImageInfoEx,
  type ImageOptions,
} from './ps/image';
export {
  type ContinueContext,
  KReserve,
  MEMORY_RESERVE_TYPE,
  NtAlertMultipleThreadByThreadId,
  NtAlertThread,
  NtAlertThreadByThreadId,
  NtAllocateReserveObject,
  NtCallbackReturn,
  NtContinue,
  NtDelayExecution,
  NtQueueApcThread,
  NtQueueApcThreadEx,
  NtTestAlert,
  NtWaitForAlertByThreadId,
  QUEUE_USER_APC_FLAGS,
  ZwAlertThread,
  ZwAllocateReserveObject,
  ZwDelayExecution,
  ZwQueueApcThread,
  ZwQueueApcThreadEx,
  ZwTestAlert,
} from './ps/apc-services';
export {
  type DiskCounters,
  PsGetThreadProperty,
  PsIsCurrentThreadPrefetching,
  PsIsDiskCountersEnabled,
  PsQueryTotalCycleTimeProcess,
  PsSetCurrentThreadPrefetching,
  PsUpdateDiskCounters,
  type IoCounters,
} from './ps/accounting';
export {
  AffinityToken,
  PsAllocateAffinityToken,
  PsFreeAffinityToken,
  PsRevertToUserMultipleGroupAffinityThread,
  PsSetSystemMultipleGroupAffinityThread,
} from './ps/affinity-token';
export {
  IoGetInitiatorProcess,
  IoGetRequestorProcess,
  IoGetRequestorProcessId,
  IoIs32bitProcess,
} from './ps/requestor';
export { MEM, PAGE } from './ps/address-space';
export { type ThreadEnvironment, threadEnvironment } from './ps/loader';
export { RtlCreateUserThread } from './ps/user-thread';
export { NtCreateProcessEx, ZwCreateProcessEx } from './ps/create-process-ex';
export { type DataScanSection, FsRtlCreateSectionForDataScan } from './ps/data-scan';
export { ImageFile, NtOpenFile, ZwOpenFile } from './ps/image-file';
export {
  type MappedView,
  NtMapViewOfSection,
  NtQuerySection,
  NtUnmapViewOfSection,
  SECTION_INFORMATION_CLASS,
  type SectionBasicInformation,
  ZwMapViewOfSection,
  ZwQuerySection,
  ZwUnmapViewOfSection,
} from './ps/section-services';
export {
  CONTEXT,
  type RegisterName,
  type ThreadRegisters,
  threadRegisters,
} from './ps/context';
export {
  type GottenContext,
  NtGetContextThread,
  NtSetContextThread,
  PsGetContextThread,
  PsSetContextThread,
  type ThreadContext,
  ZwGetContextThread,
  ZwSetContextThread,
} from './ps/context-services';
export {
  type CopiedMemory,
  MEMORY_INFORMATION_CLASS,
  type MemoryBasicInformation,
  NtAllocateVirtualMemory,
  NtFreeVirtualMemory,
  NtQueryVirtualMemory,
  NtReadVirtualMemory,
  NtWriteVirtualMemory,
  type VirtualRange,
  ZwAllocateVirtualMemory,
  ZwFreeVirtualMemory,
  ZwQueryVirtualMemory,
  ZwReadVirtualMemory,
  ZwWriteVirtualMemory,
} from './ps/memory-services';
export type { VmCounters } from './ps/vm-counters';
export type { ProcessHandle, ProcessHandleSnapshot } from './ps/handle-snapshot';
export type { PowerThrottlingState } from './ps/hints';
export type { SectionImageInformation } from './ps/image-information';
export type { ProcessTelemetryId } from './ps/telemetry-id';
export type { BadPointer } from './ps/information';
export { PROCESSINFOCLASS, THREADINFOCLASS } from './ps/information-class';
export {
  NtQueryInformationProcess,
  type ProcessBasicInformation,
  type ProcessInformation,
  type QueryInformationProcess,
  type WrittenName,
  ZwQueryInformationProcess,
} from './ps/process-query';
export {
  NtSetInformationProcess,
  type ProcessAccessToken,
  type ProcessPriorityClass,
  type ProcessSetting,
  type SetInformationProcess,
  ZwSetInformationProcess,
} from './ps/process-set';
export {
  type KernelUserTimes,
  NtQueryInformationThread,
  type ProcessorNumberInformation,
  type QueryInformationThread,
  type SystemThreadInformation,
  type ThreadBasicInformation,
  type ThreadInformation,
  ZwQueryInformationThread,
} from './ps/thread-query';
export {
  NtSetInformationThread,
  type SetInformationThread,
  type ThreadSetting,
  ZwSetInformationThread,
} from './ps/thread-set';
export {
  type Account,
  assignAccount,
  type ImpersonationToken,
  PsDereferenceImpersonationToken,
  PsDereferencePrimaryToken,
  PsImpersonateClient,
  PsIsThreadImpersonating,
  PsReferenceEffectiveToken,
  PsReferenceImpersonationToken,
  PsReferencePrimaryToken,
  PsRevertThreadToSelf,
  PsRevertToSelf,
  TOKEN_ACCESS,
} from './ps/token';
export {
  type AdjustedPrivileges,
  FILTER_TOKEN,
  type FilteredToken,
  NtAdjustPrivilegesToken,
  SeFilterToken,
  SeTokenIsAdmin,
  SeTokenIsRestricted,
  SeTokenType,
  ZwAdjustPrivilegesToken,
} from './ps/token-adjust';
export {
  NtQueryInformationToken,
  type QueryInformationToken,
  TOKEN_INFORMATION_CLASS,
  type TokenInformation,
  type TokenStatistics,
  ZwQueryInformationToken,
} from './ps/token-query';
export {
  NtDuplicateToken,
  NtImpersonateAnonymousToken,
  NtOpenProcessToken,
  NtOpenProcessTokenEx,
  NtOpenThreadToken,
  NtOpenThreadTokenEx,
  type TokenAttributes,
  ZwDuplicateToken,
  ZwImpersonateAnonymousToken,
  ZwOpenProcessToken,
  ZwOpenProcessTokenEx,
  ZwOpenThreadToken,
  ZwOpenThreadTokenEx,
} from './ps/token-services';
export {
  type LoadImageNotifyRoutine,
  PS_IMAGE_NOTIFY_CONFLICTING_ARCHITECTURE,
} from './ps/image-notify';
export {
  type InspectedProcess,
  type InspectedThread,
  type InspectedWait,
  type InspectedWaitObject,
  inspectProcess,
  inspectProcesses,
  inspectThread,
} from './ps/inspect';
export {
  type InspectedCallbacks,
  type InspectedNotifyRoutine,
  type InspectedObjectCallback,
  type InspectedRoutine,
  inspectCallbacks,
} from './ps/inspect-callbacks';
export { type InspectedHandle, inspectHandles } from './ps/inspect-handles';
export {
  type CreateProcessNotifyRoutine,
  type CreateProcessNotifyRoutineEx,
  PSCREATEPROCESSNOTIFYTYPE,
  type PsCreateNotifyInfo,
} from './ps/process-notify';
export { PS_PROTECTED_SIGNER, PS_PROTECTED_TYPE, protectionLevel } from './ps/protection';
export {
  type JobBasicLimits,
  type JobCompletionPort,
  type JobCpuRate,
  type JobExtendedLimits,
  type JobFreeze,
  type JobLimitViolation,
  type JobNotificationLimit,
  JOBOBJECTINFOCLASS,
} from './ps/job-information-class';
export { JOB_OBJECT_CPU_RATE_CONTROL } from './ps/job-rate';
export {
  PsGetJobLock,
  PsGetJobSessionId,
  PsGetJobUIRestrictionsClass,
  PsGetProcessJob,
  PsSetJobUIRestrictionsClass,
} from './ps/job-routines';
export {
  PsChargePoolQuota,
  PsChargeProcessNonPagedPoolQuota,
  PsChargeProcessPagedPoolQuota,
  PsChargeProcessPoolQuota,
  PsReturnPoolQuota,
  PsReturnProcessNonPagedPoolQuota,
  PsReturnProcessPagedPoolQuota,
} from './ps/quota';
export type { PooledUsageAndLimits, QuotaLimits } from './ps/quota-limits';
export {
  SERVERSILO_STATE,
  type ServerSilo,
  type Silo,
  SiloState,
} from './ps/silo';
export {
  PsAllocSiloContextSlot,
  PsCreateSiloContext,
  PsDereferenceSiloContext,
  PsFreeSiloContextSlot,
  PsGetPermanentSiloContext,
  PsGetSiloContext,
  PsInsertPermanentSiloContext,
  PsInsertSiloContext,
  PsMakeSiloContextPermanent,
  PsReferenceSiloContext,
  PsRemoveSiloContext,
  PsReplaceSiloContext,
  type SiloContextResult,
  type SiloSlotResult,
} from './ps/silo-context';
export { PsReleaseSiloHardReference, PsTerminateServerSilo } from './ps/silo-end';
export {
  PsGetSiloMonitorContextSlot,
  PsRegisterSiloMonitor,
  PsStartSiloMonitor,
  PsUnregisterSiloMonitor,
  type SiloMonitorResult,
} from './ps/silo-monitor';
export {
  SiloMonitor,
  type SiloMonitorCreateCallback,
  type SiloMonitorRegistration,
  type SiloMonitorTerminateCallback,
} from './ps/silo-monitor-object';
export type { ServerSiloBasicInformation, SiloBasicInformation } from './ps/silo-query';
export {
  IoGetSiloParameters,
  PsAcquireSiloHardReference,
  PsAttachSiloToCurrentThread,
  PsDetachSiloFromCurrentThread,
  PsGetCurrentServerSilo,
  PsGetCurrentServerSiloName,
  PsGetCurrentSilo,
  PsGetEffectiveServerSilo,
  PsGetHostSilo,
  PsGetJobServerSilo,
  PsGetJobSilo,
  PsGetParentSilo,
  PsGetServerSiloActiveConsoleId,
  PsGetServerSiloServiceSessionId,
  PsGetSiloContainerId,
  PsGetThreadServerSilo,
  PsIsCurrentThreadInServerSilo,
  PsIsHostSilo,
  type SiloResult,
} from './ps/silo-routines';
export { SiloContext, type SiloContextCleanupCallback } from './ps/silo-storage';
export { JOB_OBJECT_END_OF_JOB, JOB_OBJECT_MSG, JobObject } from './ps/job';
export { JOB_OBJECT_LIMIT } from './ps/job-limits';
export {
  type JobBasicAccounting,
  type JobInformation,
  NtQueryInformationJobObject,
  type QueryInformationJobObject,
  ZwQueryInformationJobObject,
} from './ps/job-query';
export {
  NtAssignProcessToJobObject,
  NtCreateJobObject,
  NtIsProcessInJob,
  NtOpenJobObject,
  NtTerminateJobObject,
  ZwAssignProcessToJobObject,
  ZwCreateJobObject,
  ZwIsProcessInJob,
  ZwOpenJobObject,
  ZwTerminateJobObject,
} from './ps/job-services';
export {
  type JobSetting,
  NtSetInformationJobObject,
  type SetInformationJobObject,
  ZwSetInformationJobObject,
} from './ps/job-set';
export { type LoadedDll, LdrLoadDll, LdrUnloadDll, notifyDriverImage } from './ps/load-services';
export { ProcessManager, processManager } from './ps/manager';
export {
  NtGetNextProcess,
  NtGetNextThread,
  NtOpenProcess,
  NtOpenThread,
  ZwGetNextProcess,
  ZwGetNextThread,
  ZwOpenProcess,
  ZwOpenThread,
} from './ps/open-services';
export {
  PsRemoveCreateThreadNotifyRoutine,
  PsRemoveLoadImageNotifyRoutine,
  PsSetCreateProcessNotifyRoutine,
  PsSetCreateProcessNotifyRoutineEx,
  PsSetCreateProcessNotifyRoutineEx2,
  PsSetCreateThreadNotifyRoutine,
  PsSetCreateThreadNotifyRoutineEx,
  PsSetLoadImageNotifyRoutine,
  PsSetLoadImageNotifyRoutineEx,
} from './ps/register';
export type { PsSwitches } from './ps/state';
export {
  IoCreateSystemThread,
  IoIsSystemThread,
  PsCreateSystemThread,
  PsIsSystemThread,
  PsTerminateSystemThread,
  type StartRoutine,
  type SystemThread,
} from './ps/system-thread';
export {
  GetProcessInformation,
  MACHINE_ATTRIBUTES,
  NtQuerySystemInformationEx,
  PROCESS_INFORMATION_CLASS,
  type ProcessMachineInformation,
  type SupportedArchitecture,
  ZwQuerySystemInformationEx,
} from './ps/machine-type';
export { SYSTEM_INFORMATION_CLASS } from './ps/system-class';
export type {
  SystemExtendedThreadInformation,
  SystemProcessInformation,
} from './ps/system-processes';
export {
  NtQuerySystemInformation,
  type QuerySystemInformation,
  type SystemHandle,
  type SystemHandleInformation,
  type SystemInformation,
  type SystemProcessIdInformation,
  ZwQuerySystemInformation,
} from './ps/system-query';
export type {
  SystemBasicInformation,
  SystemInterruptInformation,
  SystemPerformanceInformation,
  SystemProcessorInformation,
  SystemProcessorPerformance,
  SystemTimeAdjustmentInformation,
  SystemTimeOfDayInformation,
} from './ps/system-times';
export { type CreateThreadNotifyRoutine, PSCREATETHREADNOTIFYTYPE } from './ps/thread-notify';
export { SUBSYSTEM_INFORMATION_TYPE } from './ps/executive';
export { PicoProviderError } from './subsystem/dispatch';
export { PsCreateMinimalProcess } from './subsystem/minimal';
export {
  type PicoRegistration,
  type PsPicoExceptionRecord,
  type PsPicoProtectedRange,
  type PsPicoProviderRoutines,
  type PsPicoSystemCallInformation,
  PsRegisterPicoProvider,
  picoProvider,
  RtlWalkFrameChain,
} from './subsystem/provider';
export { PS_PICO_THREAD_DESCRIPTOR_TYPE } from './subsystem/routines';
export type {
  PicoProcess,
  PicoThread,
  PsPicoProcessAttributes,
  PsPicoRoutines,
  PsPicoThreadAttributes,
} from './subsystem/routines';
export { picoFault, picoSystemCall } from './subsystem/system-call';
export {
  CLOCK,
  CLONE,
  FUTEX,
  IDTYPE,
  POLL,
  RUSAGE,
  SA,
  SCHED,
  SIG,
  SIG_HOW,
  SYS,
  WAIT,
} from './subsystem/wsl/abi';
export { ERRNO } from './subsystem/wsl/errno';
export type { LinuxExecutable } from './subsystem/wsl/execute';
export type {
  ClonedGuest,
  CloneOptions,
  LinuxGuest,
  LinuxPort,
  SignalDelivery,
  SignalHandler,
  StartedImage,
} from './subsystem/wsl/guest';
export { AddressSpace, type SharedMemory } from './subsystem/wsl/memory';
export { SI, type SignalInfo } from './subsystem/wsl/siginfo';
export { LinuxThread } from './subsystem/wsl/state';
export {
  type LinuxBody,
  type LinuxMain,
  LinuxUser,
  type PollRequest,
  type WaitedChild,
} from './subsystem/wsl/user';
export {
  type LinuxCounts,
  LinuxSpawn,
  type SpawnOptions,
  type WslOptions,
  WslSubsystem,
} from './subsystem/wsl/wsl';
export { CsvWriter } from './trace/csv';
export { machineNames, recordTo, traceWriterFor } from './trace/output';
export { PerfettoWriter } from './trace/perfetto';
export type { TraceWriter } from './trace/roster';
export type { BurstSink } from './workload/bursts';
export { InputDamaged, RecordingError, WorkloadError } from './workload/errors';
export {
  compareEvents,
  type EventComparison,
  type EventDifference,
  type EventMapping,
} from './workload/events/compare';
export type {
  EventGaps,
  EventProcess,
  EventRecording,
  ProcessEvent,
  ProcessEventKind,
  StartPlace,
} from './workload/events/model';
export { EventReader, type ReadEventsOptions, readEvents } from './workload/events/read';
export { EventRecorder, recordEvents } from './workload/events/record';
export {
  type ActionNotDone,
  EventReplay,
  type EventReplayOptions,
  type EventReplayReport,
  replayEvents,
} from './workload/events/replay';
export { writeEvents } from './workload/events/write';
export { ScheduleFigures, type ScheduleTally, ThreadTally } from './workload/figures';
export { type ReadOptions, RecordingReader, readRecording } from './workload/ftrace';
export { Histogram } from './workload/histogram';
export type { SubsystemCounts } from './workload/linux-replay';
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
  SubsystemReport,
  ThreadReport,
} from './workload/report';
export { recordedFigures, reportReplay } from './workload/report';
export { checkWorkload } from './workload/rtapp/check';
export type {
  Phase,
  Place,
  Task,
  Workload,
  WorkloadEvent,
  WorkloadNote,
} from './workload/rtapp/model';
export {
  runWorkload,
  type WaitingThread,
  type WorkloadOptions,
  type WorkloadReport,
  type WorkloadTaskReport,
  type WorkloadThreadReport,
} from './workload/rtapp/run';
export {
  type Attribution,
  type CpuFigures,
  type RecordedProcess,
  type RecordingSummary,
  type RecordingWarning,
  ThreadFigures,
  type WarningKind,
} from './workload/summary';
export { type CheckedDriver, type CheckOptions, checkDriver } from './verifier/check';
export type { Finding } from './verifier/finding';
export type { SourceFrame, SourceLocation } from './verifier/location';
export { type MatcherResult, toFollowTheRules } from './verifier/matcher';
export {
  NEIGHBOURS,
  type Neighbour,
  Neighbourhood,
  type NeighbourNames,
} from './verifier/neighbours';
export { describeFinding, toSarif } from './verifier/report';
export { RULES, type Rule, type Severity } from './verifier/rules';
export { startScenario } from './verifier/scenario';
export { Verification, type VerifyOptions, verifyDrivers } from './verifier/verify';
