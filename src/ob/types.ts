import { ACCESS, type GenericMapping } from './access';
import { ObjectType } from './type';

/** The system's object types, with their rights. The floors that they belong to give them procedures. */

function mapping(read: number, write: number, execute: number, all: number): GenericMapping {
  const control = ACCESS.READ_CONTROL;
  return {
    genericRead: control | read,
    genericWrite: control | write,
    genericExecute: control | execute,
    genericAll: all,
  };
}

function systemType(
  name: string,
  genericMapping: GenericMapping,
  validAccessMask = genericMapping.genericAll,
): ObjectType {
  return new ObjectType(name, { genericMapping, validAccessMask });
}

const SYNC = ACCESS.SYNCHRONIZE;

export const ObpTypeObjectType = systemType('Type', mapping(0, 0, 0, 0xf0001), 0x1f0001);
export const ObpDirectoryObjectType = systemType('Directory', mapping(3, 0xc, 3, 0xf000f));
export const ObpSymbolicLinkObjectType = systemType(
  'SymbolicLink',
  mapping(1, 0, 1, 0xf0001),
  0xfffff,
);
export const SeTokenObjectType = systemType(
  'Token',
  mapping(0x1a, 0x1e0, 0x5, 0xf01ff),
  0xf01ff | SYNC,
);
export const PsJobType = systemType('Job', mapping(4, 0xb, SYNC, 0x1f003f));
export const PsProcessType = systemType('Process', mapping(0x410, 0xbea, SYNC | 0x1001, 0x1fffff));
export const PsThreadType = systemType('Thread', mapping(0x48, 0x437, SYNC | 0x1800, 0x1fffff));
export const PspUserApcReserveType = systemType('UserApcReserve', mapping(1, 2, 0, 0xf0003));
export const IoCompletionReserveType = systemType('IoCompletionReserve', mapping(1, 2, 0, 0xf0003));
export const DbgkDebugObjectType = systemType('DebugObject', mapping(1, 2, SYNC, 0x1f000f));
export const ExEventObjectType = systemType('Event', mapping(1, 2, SYNC, 0x1f0003));
export const ExMutantObjectType = systemType('Mutant', mapping(1, 0, SYNC, 0x1f0001));
export const ExCallbackObjectType = systemType('Callback', mapping(0, 1, SYNC, 0x1f0001));
export const ExSemaphoreObjectType = systemType('Semaphore', mapping(1, 2, SYNC, 0x1f0003));
export const ExTimerObjectType = systemType('Timer', mapping(1, 2, SYNC, 0x1f0003));
export const ExpKeyedEventObjectType = systemType(
  'KeyedEvent',
  mapping(1, 2, 0, 0xf0003),
  0x1f0003,
);
export const ExWindowStationObjectType = systemType(
  'WindowStation',
  mapping(0x303, 0x1c, 0x60, 0xf037f),
);
export const ExDesktopObjectType = systemType('Desktop', mapping(0x41, 0xbe, 0x100, 0xf01ff));
export const IoDriverObjectType = systemType(
  'Driver',
  mapping(0x120089, 0x120116, 0x1200a0, 0x1f01ff),
);
export const IoDeviceObjectType = systemType(
  'Device',
  mapping(0x120089, 0x120116, 0x1200a0, 0x1f01ff),
);
export const IoFileObjectType = systemType('File', mapping(0x120089, 0x120116, 0x1200a0, 0x1f01ff));
export const IoCompletionObjectType = systemType('IoCompletion', mapping(1, 2, SYNC, 0x1f0003));
export const MmSectionObjectType = systemType('Section', mapping(5, 2, 8, 0xf001f), 0x1f001f);
export const CmKeyObjectType = systemType('Key', mapping(0x19, 0x6, 0x19, 0xf003f), 0x1f003f);

/** In the order of their indices, the first of which is 2. */
export const SYSTEM_TYPES: readonly ObjectType[] = [
  ObpTypeObjectType,
  ObpDirectoryObjectType,
  ObpSymbolicLinkObjectType,
  SeTokenObjectType,
  PsJobType,
  PsProcessType,
  PsThreadType,
  PspUserApcReserveType,
  IoCompletionReserveType,
  DbgkDebugObjectType,
  ExEventObjectType,
  ExMutantObjectType,
  ExCallbackObjectType,
  ExSemaphoreObjectType,
  ExTimerObjectType,
  ExpKeyedEventObjectType,
  ExWindowStationObjectType,
  ExDesktopObjectType,
  IoDriverObjectType,
  IoDeviceObjectType,
  IoFileObjectType,
  IoCompletionObjectType,
  MmSectionObjectType,
  CmKeyObjectType,
];
