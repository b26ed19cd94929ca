import { STATUS } from '../../../assembly/shared/status';
import { type KernelCode, systemService } from '../../ke/mode';
import { currentGuest } from '../../machine/guest';
import {
  captureString,
  failed,
  type Handle,
  type HandleResult,
  type ObjectAttributes,
  type UnicodeString,
} from '../attributes';
import { ObpCreateObject, ObpOpenObjectByName } from '../create';
import { SymbolicLink } from '../directory';
import { ObpSymbolicLinkObjectType } from '../types';
import { readHandle } from './on-handle';

/** Symbolic links, by handle. */

/** Rights of links: SYMBOLIC_LINK_QUERY is `SYMBOLIC_LINK_ACCESS.QUERY`. */
export const enum SYMBOLIC_LINK_ACCESS {
  QUERY = 1,
  ALL_ACCESS = 0xf0001,
}

/** What the target of a link is given as: a string, or a UNICODE_STRING with its parts; a buffer of null is NULL. */
export type LinkTarget =
  | string
  | {
      readonly Length: number;
      readonly MaximumLength?: number;
      readonly Buffer: string | number | null;
    };

/** Text and stored maximum of a target, or why there is none. */
function captureTarget(target: LinkTarget): { status: number; text: string; maximum: number } {
  const given: UnicodeString =
    typeof target === 'string' ? target : { ...target, Buffer: target.Buffer ?? 0 };
  const { status, text } = captureString(given);
  const length = text.length * 2;
  const maximum = typeof target === 'string' ? length + 2 : (target.MaximumLength ?? length);
  if (status === STATUS.SUCCESS && (text === '' || maximum < length))
    return { status: STATUS.INVALID_PARAMETER, text, maximum };
  return { status, text, maximum };
}

const createLink = systemService(
  'CreateSymbolicLinkObject',
  function* (
    mode,
    desiredAccess: number,
    objectAttributes: ObjectAttributes | null,
    linkTarget: LinkTarget,
  ): KernelCode<HandleResult> {
    const { status, text, maximum } = captureTarget(linkTarget);
    if (status !== STATUS.SUCCESS) return failed(status);
    const { machine } = currentGuest('NtCreateSymbolicLinkObject');
    return yield* ObpCreateObject({
      mode,
      type: ObpSymbolicLinkObjectType,
      desiredAccess,
      attributes: objectAttributes,
      make: () => new SymbolicLink(machine, text, maximum),
      existsStatus: STATUS.SUCCESS,
    });
  },
);

/**
 * Makes a link to a path, or opens the one of its name if OBJ_OPENIF allows: with STATUS_SUCCESS too.
 *
 * @irql PASSIVE_LEVEL   @nt NtCreateSymbolicLinkObject
 */
export const NtCreateSymbolicLinkObject = createLink.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwCreateSymbolicLinkObject */
export const ZwCreateSymbolicLinkObject = createLink.zw;

const openLink = systemService(
  'OpenSymbolicLinkObject',
  (mode, desiredAccess: number, objectAttributes: ObjectAttributes | null) =>
    ObpOpenObjectByName(mode, ObpSymbolicLinkObjectType, desiredAccess, objectAttributes),
);

/** Opens the link of a name itself. @irql PASSIVE_LEVEL @nt NtOpenSymbolicLinkObject */
export const NtOpenSymbolicLinkObject = openLink.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwOpenSymbolicLinkObject */
export const ZwOpenSymbolicLinkObject = openLink.zw;

/** What NtQuerySymbolicLinkObject comes to; what is undefined is not written. */
export interface LinkQuery {
  readonly status: number;
  readonly linkTarget: string | undefined;
  /** Bytes; the stored maximum, when that is asked for. */
  readonly returnedLength: number | undefined;
  /** Whether a terminator has been written behind the target. */
  readonly terminated: boolean;
}

/** What fits into a buffer: who asks for the length wants the terminator too. */
function readLink(link: SymbolicLink, room: number, wantsLength: boolean): LinkQuery {
  const needed = wantsLength ? link.maximumLength : link.target.length * 2;
  const returnedLength = wantsLength ? link.maximumLength : undefined;
  if (room < needed) {
    const status = STATUS.BUFFER_TOO_SMALL;
    return { status, linkTarget: undefined, returnedLength, terminated: false };
  }
  const terminated = wantsLength && link.maximumLength > link.target.length * 2;
  return { status: STATUS.SUCCESS, linkTarget: link.target, returnedLength, terminated };
}

const queryLink = systemService(
  'QuerySymbolicLinkObject',
  function* (
    mode,
    handle: Handle,
    maximumLength: number,
    wantsLength: boolean,
  ): KernelCode<LinkQuery> {
    const access = SYMBOLIC_LINK_ACCESS.QUERY;
    const type = ObpSymbolicLinkObjectType;
    const result = yield* readHandle(mode, handle, access, type, (link: SymbolicLink) =>
      readLink(link, maximumLength, wantsLength),
    );
    if (typeof result !== 'number') return result;
    return { status: result, linkTarget: undefined, returnedLength: undefined, terminated: false };
  },
);

/**
 * The target of a link, for a buffer of `maximumLength` bytes. `wantsLength` is whether the caller
 * gives a pointer for the length: then the terminator that the link was made with must fit, too.
 *
 * @returns STATUS_SUCCESS; STATUS_BUFFER_TOO_SMALL, with the bytes that it takes.
 * @irql PASSIVE_LEVEL   @nt NtQuerySymbolicLinkObject
 */
export const NtQuerySymbolicLinkObject = queryLink.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwQuerySymbolicLinkObject */
export const ZwQuerySymbolicLinkObject = queryLink.zw;
