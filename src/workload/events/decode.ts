/** What a record tells of processes, in the recorder's own terms: nothing is resolved yet. */
import type { Fields, Moment } from './fields';
import type { StartPlace } from './model';

/** A process as a record names it. */
export interface ProcessRef {
  readonly id: number;
  readonly guid: string | undefined;
  readonly image: string | undefined;
}

export interface ToldCreate {
  readonly kind: 'process-create';
  readonly process: ProcessRef;
  readonly parent: ProcessRef | undefined;
  readonly creatorThread: number | undefined;
  readonly commandLine: string | undefined;
  readonly user: string | undefined;
  readonly session: number | undefined;
}

export interface ToldExit {
  readonly kind: 'process-exit';
  readonly process: ProcessRef;
  readonly thread: number | undefined;
  readonly status: number | undefined;
}

export type ToldWhat =
  | ToldCreate
  | ToldExit
  | {
      readonly kind: 'thread-create';
      readonly process: ProcessRef;
      readonly thread: number;
      readonly creator: ProcessRef;
      readonly creatorThread: number | undefined;
      readonly start: StartPlace | undefined;
    }
  | {
      readonly kind: 'thread-exit';
      readonly process: ProcessRef;
      readonly thread: number;
      readonly status: number | undefined;
    }
  | {
      readonly kind: 'image-load';
      readonly process: ProcessRef;
      readonly thread: number | undefined;
      readonly image: string;
    }
  | { readonly kind: 'driver-load'; readonly image: string }
  | {
      readonly kind: 'process-access';
      readonly source: ProcessRef;
      readonly sourceThread: number | undefined;
      readonly target: ProcessRef;
      readonly grantedAccess: number;
    };

/** An event as told: by whom, when, and where in the input. */
export type Told<T extends ToldWhat = ToldWhat> = T & {
  /** Its provider: two may tell of the same event. */
  readonly recorder: string;
  readonly channel: string;
  readonly moment: Moment;
  readonly line: number;
};

/** Thrown for an event without a field that it must have; the message names it. */
export class MissingField extends Error {
  override readonly name = 'MissingField';
}

function required<T>(name: string, value: T | undefined): T {
  if (value === undefined) throw new MissingField(name);
  return value;
}

function processRef(fields: Fields, id: string, guid: string, image: string): ProcessRef {
  return {
    id: required(id, fields.number(id)),
    guid: fields.guid(guid),
    image: fields.text(image),
  };
}

function startPlace(fields: Fields): StartPlace | undefined {
  const start = {
    address: fields.address('StartAddress'),
    module: fields.text('StartModule'),
    function: fields.text('StartFunction'),
  };
  return Object.values(start).every((each) => each === undefined) ? undefined : start;
}

type Decoder = (fields: Fields) => ToldWhat;

const subject = (fields: Fields): ProcessRef =>
  processRef(fields, 'ProcessId', 'ProcessGuid', 'Image');

const processCreate: Decoder = (fields) => ({
  kind: 'process-create',
  process: subject(fields),
  parent:
    fields.number('ParentProcessId') === undefined
      ? undefined
      : processRef(fields, 'ParentProcessId', 'ParentProcessGuid', 'ParentImage'),
  creatorThread: fields.number('ParentThreadId'),
  commandLine: fields.text('CommandLine'),
  user: fields.text('User'),
  session: fields.number('TerminalSessionId'),
});

const processTerminate: Decoder = (fields) => ({
  kind: 'process-exit',
  process: subject(fields),
  thread: fields.number('ThreadId'),
  status: fields.number('ExitStatus'),
});

const imageLoad: Decoder = (fields) => ({
  kind: 'image-load',
  process: subject(fields),
  thread: fields.number('ThreadId'),
  image: required('ImageLoaded', fields.text('ImageLoaded')),
});

const driverLoad: Decoder = (fields) => ({
  kind: 'driver-load',
  image: required('ImageLoaded', fields.text('ImageLoaded')),
});

const threadCreate: Decoder = (fields) => ({
  kind: 'thread-create',
  process: processRef(fields, 'TargetProcessId', 'TargetProcessGuid', 'TargetImage'),
  thread: required('NewThreadId', fields.number('NewThreadId')),
  creator: processRef(fields, 'SourceProcessId', 'SourceProcessGuid', 'SourceImage'),
  creatorThread: fields.number('SourceThreadId'),
  start: startPlace(fields),
});

const threadTerminate: Decoder = (fields) => ({
  kind: 'thread-exit',
  process: subject(fields),
  thread: required('ThreadId', fields.number('ThreadId')),
  status: fields.number('ExitStatus'),
});

/** Here alone Sysmon writes GUID in capitals. */
const processAccess: Decoder = (fields) => ({
  kind: 'process-access',
  source: processRef(fields, 'SourceProcessId', 'SourceProcessGUID', 'SourceImage'),
  sourceThread: fields.number('SourceThreadId'),
  target: processRef(fields, 'TargetProcessId', 'TargetProcessGUID', 'TargetImage'),
  grantedAccess: required('GrantedAccess', fields.number('GrantedAccess')),
});

const securityCreate: Decoder = (fields) => ({
  kind: 'process-create',
  process: processRef(fields, 'NewProcessId', '', 'NewProcessName'),
  parent:
    fields.number('ProcessId') === undefined
      ? undefined
      : processRef(fields, 'ProcessId', '', 'ParentProcessName'),
  creatorThread: undefined,
  commandLine: fields.text('CommandLine'),
  user: accountOf(fields),
  session: undefined,
});

function accountOf(fields: Fields): string | undefined {
  const target = fields.text('TargetUserName') === undefined ? 'Subject' : 'Target';
  const name = fields.text(`${target}UserName`);
  const domain = fields.text(`${target}DomainName`);
  return name === undefined || domain === undefined ? name : `${domain}\\${name}`;
}

const securityExit: Decoder = (fields) => ({
  kind: 'process-exit',
  process: processRef(fields, 'ProcessId', '', 'ProcessName'),
  thread: undefined,
  status: fields.number('Status'),
});

/** By provider and event. ntps writes Sysmon's fields, and its events by their names in Sysmon's schema. */
const DECODERS: ReadonlyMap<string, Decoder> = new Map([
  ['Microsoft-Windows-Sysmon 1', processCreate],
  ['Microsoft-Windows-Sysmon 5', processTerminate],
  ['Microsoft-Windows-Sysmon 6', driverLoad],
  ['Microsoft-Windows-Sysmon 7', imageLoad],
  ['Microsoft-Windows-Sysmon 8', threadCreate],
  ['Microsoft-Windows-Sysmon 10', processAccess],
  ['Microsoft-Windows-Security-Auditing 4688', securityCreate],
  ['Microsoft-Windows-Security-Auditing 4689', securityExit],
  ['ntps ProcessCreate', processCreate],
  ['ntps ProcessTerminate', processTerminate],
  ['ntps DriverLoad', driverLoad],
  ['ntps ImageLoad', imageLoad],
  ['ntps ThreadCreate', threadCreate],
  ['ntps ThreadTerminate', threadTerminate],
  ['ntps ProcessAccess', processAccess],
]);

/**
 * What a record tells; undefined if it is nothing to the process manager.
 *
 * @throws MissingField if it lacks a field that its event has.
 */
export function decode(fields: Fields, line: number): Told | undefined {
  const decoder = DECODERS.get(`${fields.provider} ${fields.event}`);
  if (decoder === undefined) return undefined;
  const moment = required('TimeCreated', fields.moment);
  const { provider: recorder, channel } = fields;
  return { ...decoder(fields), recorder, channel, moment, line };
}
