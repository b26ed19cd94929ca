import { TIMER_TYPE } from '../../assembly/shared/types';
import { NtCreateIoCompletion, NtOpenIoCompletion } from '../../src/io/completion';
import type { NtCall } from '../../src/machine/guest';
import type { HandleResult, ObjectAttributes } from '../../src/ob/attributes';
import { NtCreateDebugObject } from '../../src/ob/services/debug-object';
import { NtCreateDirectoryObject, NtOpenDirectoryObject } from '../../src/ob/services/directory';
import { EVENT_TYPE, NtCreateEvent, NtOpenEvent } from '../../src/ob/services/event';
import { NtCreateJobObject, NtOpenJobObject } from '../../src/ps/job-services';
import { NtCreateKeyedEvent, NtOpenKeyedEvent } from '../../src/ob/services/keyed-event';
import { NtCreateMutant, NtOpenMutant } from '../../src/ob/services/mutant';
import { NtCreateSection, NtOpenSection, SEC } from '../../src/ob/services/section';
import { NtCreateSemaphore, NtOpenSemaphore } from '../../src/ob/services/semaphore';
import {
  NtCreateSymbolicLinkObject,
  NtOpenSymbolicLinkObject,
} from '../../src/ob/services/symbolic-link';
import { NtCreateTimer, NtOpenTimer } from '../../src/ob/services/timer';

type Maker = (access: number, attributes: ObjectAttributes | null) => NtCall<HandleResult>;

/** How objects of a type are made and opened, with all else as it should be. */
export interface NamedMaker {
  readonly create: Maker;
  readonly open: Maker;
  readonly allAccess: number;
}

const PAGE_READWRITE = 4;

/** The types that have names. */
export const MAKERS = {
  mutant: {
    create: (access, attributes) => NtCreateMutant(access, attributes, false),
    open: NtOpenMutant,
    allAccess: 0x1f0001,
  },
  semaphore: {
    create: (access, attributes) => NtCreateSemaphore(access, attributes, 1, 2),
    open: NtOpenSemaphore,
    allAccess: 0x1f0003,
  },
  event: {
    create: (access, attributes) =>
      NtCreateEvent(access, attributes, EVENT_TYPE.SynchronizationEvent, false),
    open: NtOpenEvent,
    allAccess: 0x1f0003,
  },
  'keyed event': {
    create: (access, attributes) => NtCreateKeyedEvent(access, attributes, 0),
    open: NtOpenKeyedEvent,
    allAccess: 0xf0003,
  },
  timer: {
    create: (access, attributes) => NtCreateTimer(access, attributes, TIMER_TYPE.NotificationTimer),
    open: NtOpenTimer,
    allAccess: 0x1f0003,
  },
  'I/O completion': {
    create: (access, attributes) => NtCreateIoCompletion(access, attributes, 0),
    open: NtOpenIoCompletion,
    allAccess: 0x1f0003,
  },
  directory: { create: NtCreateDirectoryObject, open: NtOpenDirectoryObject, allAccess: 0xf000f },
  'symbolic link': {
    create: (access, attributes) => NtCreateSymbolicLinkObject(access, attributes, '\\DosDevices'),
    open: NtOpenSymbolicLinkObject,
    allAccess: 0xf0001,
  },
  job: { create: NtCreateJobObject, open: NtOpenJobObject, allAccess: 0x1f003f },
  section: {
    create: (access, attributes) =>
      NtCreateSection(access, attributes, 4096, PAGE_READWRITE, SEC.COMMIT, 0),
    open: NtOpenSection,
    allAccess: 0xf001f,
  },
} as const satisfies Readonly<Record<string, NamedMaker>>;

export type NamedType = keyof typeof MAKERS;

/** Debug objects can be made, and not opened. */
export const createDebugObject: Maker = (access, attributes) =>
  NtCreateDebugObject(access, attributes, 0);
