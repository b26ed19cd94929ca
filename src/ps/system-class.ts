import type { Machine } from '../machine/machine';

/** Classes of information about the machine as a whole. */

/** SYSTEM_INFORMATION_CLASS. */
export const enum SYSTEM_INFORMATION_CLASS {
  SystemBasicInformation = 0,
  SystemProcessorInformation = 1,
  SystemPerformanceInformation = 2,
  SystemTimeOfDayInformation = 3,
  SystemProcessInformation = 5,
  SystemProcessorPerformanceInformation = 8,
  SystemHandleInformation = 16,
  SystemInterruptInformation = 23,
  SystemTimeAdjustmentInformation = 28,
  SystemExtendedProcessInformation = 57,
  SystemExtendedHandleInformation = 64,
  SystemProcessIdInformation = 88,
  SystemSupportedProcessorArchitectures = 181,
}

/** What a class has to say, and the bytes that it takes. */
export interface SystemAnswer {
  readonly needed: number;
  /** A longer buffer is wrong too. */
  readonly exact?: boolean;
  readonly fields: object;
}

/** A class that is one structure. */
export const structure = (needed: number, fields: object): SystemAnswer => ({
  needed,
  exact: true,
  fields,
});

/** A class: what it says for a buffer of so many bytes. */
export type SystemClass = (machine: Machine, length: number) => SystemAnswer;
