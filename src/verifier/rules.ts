/** What drivers must not do in their callbacks, and beside them: one row a rule. */

export type Severity = 'error' | 'warning';

export interface Rule {
  readonly id: string;
  /** What is asked of a driver, in one sentence. */
  readonly sentence: string;
  /** Where it is said. */
  readonly source: string;
  readonly severity: Severity;
  /** How a breach is seen here. */
  readonly seen: string;
  /** What to do in its place. */
  readonly instead: string;
}

const GUIDE = 'Windows Driver Kit: best practices for process and thread notify callbacks';
const WORK = 'queue the work with IoQueueWorkItem and return';

const rule = (
  id: string,
  severity: Severity,
  sentence: string,
  source: string,
  seen: string,
  instead: string,
): Rule => ({ id, severity, sentence, source, seen, instead });

export const RULES: readonly Rule[] = [
  rule(
    'CB-01',
    'warning',
    'A callback is short and simple.',
    GUIDE,
    'more virtual time passes between its call and its return than the budget',
    `note what is needed; ${WORK}`,
  ),
  rule(
    'CB-03',
    'error',
    'A callback makes no registry calls.',
    GUIDE,
    'it calls a routine of the registry',
    `read what is needed in DriverEntry, or ${WORK}`,
  ),
  rule(
    'CB-04',
    'error',
    'A callback does not block.',
    GUIDE,
    'it waits with a timeout other than 0, or delays its thread',
    `poll with a timeout of 0, or ${WORK}`,
  ),
  rule(
    'CB-05',
    'error',
    'A callback does not talk to other processes.',
    GUIDE,
    'it sends to or receives from a completion port, a keyed event or another thread',
    WORK,
  ),
  rule(
    'CB-06',
    'error',
    'A callback takes no lock that another thread holds while it does what raises the callback.',
    GUIDE,
    'the order in which locks are taken and callbacks raised has a circle',
    'let go of the lock before calling what creates processes, threads or handles, or loads images',
  ),
  rule(
    'CB-07',
    'error',
    'A callback does not wait for the work that it has queued.',
    GUIDE,
    'it waits after it has queued a work item',
    'let the work item do the rest, and return',
  ),
  rule(
    'CB-09',
    'error',
    'A callback does not remove itself.',
    'PsSetCreateProcessNotifyRoutine, PsRemoveCreateThreadNotifyRoutine, PsRemoveLoadImageNotifyRoutine, ObUnRegisterCallbacks',
    'a removal is called in a callback of the driver and waits for calls under way',
    'remove it in DriverUnload, or in a work item',
  ),
  rule(
    'CB-10',
    'error',
    'A driver takes its callbacks back before it is unloaded.',
    'PsSetCreateProcessNotifyRoutineEx: remarks',
    'the driver is gone and something would still call it',
    'remove every routine in DriverUnload, each with the routine that registered it',
  ),
  rule(
    'CB-12',
    'error',
    'A load-image routine does not attach to another process.',
    'Bug Check 0x6: INVALID_PROCESS_DETACH_ATTEMPT',
    'KeStackAttachProcess is called in it',
    'attach in a work item',
  ),
  rule(
    'CB-15',
    'error',
    'A process routine looks whether CreateInfo is NULL: a process exits.',
    'PCREATE_PROCESS_NOTIFY_ROUTINE_EX: CreateInfo',
    'it throws when it is called with NULL',
    'test CreateInfo for null before anything else',
  ),
  rule(
    'CB-16',
    'error',
    'A process routine does without FileObject, ImageFileName and CommandLine.',
    'PS_CREATE_NOTIFY_INFO: members',
    'it throws after it has read one that is NULL',
    'test each of the three for null',
  ),
  rule(
    'CB-17',
    'error',
    'A load-image routine does without FullImageName.',
    'PLOAD_IMAGE_NOTIFY_ROUTINE: FullImageName',
    'it throws when it is called with NULL',
    'test FullImageName for null',
  ),
  rule(
    'CB-18',
    'error',
    'A callback writes CreationStatus, DesiredAccess and CallContext, and nothing else of what it is given.',
    'PS_CREATE_NOTIFY_INFO, OB_PRE_OPERATION_INFORMATION: members',
    'it writes another field',
    'keep what is needed elsewhere',
  ),
  rule(
    'CB-19',
    'error',
    'A pre-operation callback adds no access rights.',
    'OB_PRE_CREATE_HANDLE_INFORMATION: DesiredAccess',
    'DesiredAccess has bits on return that OriginalDesiredAccess has not',
    'only clear bits of DesiredAccess',
  ),
  rule(
    'CB-20',
    'error',
    'A pre-operation callback returns OB_PREOP_SUCCESS.',
    'POB_PRE_OPERATION_CALLBACK: return value',
    'it returns something else',
    'return OB_PREOP_SUCCESS; take access away to refuse',
  ),
  rule(
    'CB-21',
    'error',
    'A post-operation callback reads Parameters of a success only.',
    'OB_POST_OPERATION_INFORMATION: Parameters',
    'it reads GrantedAccess while ReturnStatus is a failure',
    'test ReturnStatus first',
  ),
  rule(
    'CB-22',
    'error',
    'A callback returns at the level at which it was called.',
    'Driver Verifier: IrqlReturn',
    'the level at its return is another',
    'lower what was raised',
  ),
  rule(
    'CB-23',
    'error',
    'A callback leaves APC state and locks as it found them.',
    'Driver Verifier: CriticalRegions, GuardedRegions',
    'a lock or a region is left over at its return',
    'leave every region that is entered, release every lock that is acquired, on every path',
  ),
  rule(
    'CB-24',
    'warning',
    'A callback leaves the kernel stack to others.',
    GUIDE,
    'less than a quarter of the stack is left while it runs',
    `${WORK}, or use KeExpandKernelStackAndCallout`,
  ),
  rule(
    'CB-25',
    'error',
    'A callback does not do what raises the same callback.',
    GUIDE,
    'it is called again in the same thread before it has returned',
    WORK,
  ),
  rule(
    'CB-26',
    'error',
    'A callback does not impersonate for others.',
    'PsImpersonateClient: remarks',
    'its thread impersonates another client at its return than at its call',
    'revert with PsRevertToSelf before returning, or impersonate in a work item',
  ),
  rule(
    'CB-27',
    'error',
    'Ex, Ex2 and object callbacks come from an image with IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY.',
    'PsSetCreateProcessNotifyRoutineEx, ObRegisterCallbacks: return value',
    'registration returns STATUS_ACCESS_DENIED',
    'link with /INTEGRITYCHECK and sign the image',
  ),
  rule(
    'CB-29',
    'error',
    'What a callback is given is looked at while it runs, and not later.',
    'PS_CREATE_NOTIFY_INFO, IMAGE_INFO: remarks',
    'it is read or written after the callback has returned',
    'copy what is needed',
  ),
  rule(
    'CB-30',
    'error',
    'A callback does not end its thread or process.',
    'PsTerminateSystemThread, ZwTerminateProcess: remarks',
    'the thread that runs it is ending when it returns',
    'set CreationStatus to refuse a process; end others from a work item',
  ),
  rule(
    'LK-01',
    'error',
    'Locks are taken in one order.',
    'Driver Verifier: deadlock detection (C4/1001)',
    'two of them have been taken in both orders, whoever took them',
    'take the locks in one order everywhere, or never hold both',
  ),
  rule(
    'BC-01',
    'error',
    'A driver does not stop the machine.',
    'Bug check code reference',
    'a bugcheck whose stack has the driver',
    'the explanation of the bugcheck says what was wrong',
  ),
];

const BY_ID = new Map(RULES.map((each) => [each.id, each]));

export function ruleOf(id: string): Rule {
  return BY_ID.get(id) as Rule;
}

/** Whether an id is one of a rule. */
export function isRule(id: string): boolean {
  return BY_ID.has(id);
}
