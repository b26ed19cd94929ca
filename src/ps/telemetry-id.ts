import { STATUS } from '../../assembly/shared/status';
import type { KProcess } from '../machine/views';
import { primaryToken } from '../ob/token';
import { processIdOf } from './cid';
import { executiveOf } from './executive';
import { PsGetProcessStartKey } from './identity';
import type { Answer } from './information';
import { processManager } from './manager';
import { sidLength } from './token-query';

/** ProcessTelemetryIdInformation: what names a process for good, and what it was made of. */

/** PROCESS_TELEMETRY_ID_INFORMATION; the strings behind it stand for their offsets. */
export interface ProcessTelemetryId {
  /** Bytes before the strings. */
  readonly HeaderSize: number;
  readonly ProcessId: number;
  readonly ProcessStartKey: bigint;
  /** A system time; the next two are 100 ns since boot. */
  readonly CreateTime: bigint;
  readonly CreateInterruptTime: number;
  readonly CreateUnbiasedInterruptTime: number;
  readonly ProcessSequenceNumber: number;
  readonly SessionId: number;
  readonly BootId: number;
  readonly ImageChecksum: number;
  readonly UserSid: string;
  /** '' of a process without an executable. */
  readonly ImagePath: string;
  readonly CommandLine: string;
}

const HEADER_BYTES = 96;
const BOOT_ID = 1;
/** Of the path, the command line, and the names of package and application, which are empty. */
const STRING_ENDS = 4 * 2;

export function telemetryId(process: KProcess, length: number): Answer {
  const { image, commandLine, sessionId } = executiveOf(processManager(process.machine), process);
  const { user } = primaryToken(process);
  const path = image?.fullName ?? '';
  const line = commandLine ?? '';
  const characters = path.length + line.length;
  const returnLength = HEADER_BYTES + sidLength(user) + characters * 2 + STRING_ENDS;
  if (length < returnLength) return { status: STATUS.BUFFER_TOO_SMALL, returnLength };
  const interruptTime = Math.floor(process.createTimeNs / 100);
  const telemetry: ProcessTelemetryId = {
    HeaderSize: HEADER_BYTES,
    ProcessId: processIdOf(process),
    ProcessStartKey: PsGetProcessStartKey(process),
    CreateTime: process.createTime100ns,
    CreateInterruptTime: interruptTime,
    CreateUnbiasedInterruptTime: interruptTime,
    ProcessSequenceNumber: process.sequenceNumber,
    SessionId: sessionId,
    BootId: BOOT_ID,
    ImageChecksum: image?.header.checkSum ?? 0,
    UserSid: user,
    ImagePath: path,
    CommandLine: line,
  };
  return { ...telemetry, returnLength };
}
