import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import type { KernelCode } from '../ke/mode';
import { currentGuest } from '../machine/guest';
import type { Machine } from '../machine/machine';
import { grantAccess } from './access';
import {
  type CapturedAttributes,
  captureAttributes,
  failed,
  type HandleResult,
  OBJ,
  type ObjectAttributes,
} from './attributes';
import type { ObjectDirectory } from './directory';
import { ObpCreateHandle, ObpReferenceByHandle, ObpRemoveName } from './handle';
import { headerOf, type ObjectBody, type ObjectHeader } from './object';
import { type Lookup, ObpLookupObjectName } from './parse';
import { ObpDereference, ObpReference } from './reference';
import { SE_PRIVILEGE, SeSinglePrivilegeCheck } from './security';
import { objectManager } from './state';
import type { ObjectType } from './type';

/** How objects are made, put into the namespace and opened by name. */

/** Looks a captured name up, from the directory of its handle if it has one. */
export function* lookupCaptured(
  machine: Machine,
  captured: CapturedAttributes,
  name: string,
  type: ObjectType | null,
  mode: MODE,
  creating: boolean,
): KernelCode<Lookup> {
  const { rootDirectory, attributes } = captured;
  const request = { type, attributes, mode, creating };
  if (rootDirectory === 0) return yield* ObpLookupObjectName(machine, null, name, request);
  const root = ObpReferenceByHandle(rootDirectory, 0, null, mode);
  if (root.header === undefined) return { status: root.status };
  const result = yield* ObpLookupObjectName(machine, root.header, name, request);
  yield* ObpDereference(root.header);
  return result;
}

/** An object that is to be made, or found if OBJ_OPENIF lets it. */
export interface CreateRequest {
  readonly mode: MODE;
  readonly type: ObjectType;
  readonly desiredAccess: number;
  readonly attributes: ObjectAttributes | null;
  /** Makes the body, when all else is well; undefined if there is no room for it. */
  readonly make: () => ObjectBody | undefined;
  /** The status for one that was there. Default STATUS_OBJECT_NAME_EXISTS. */
  readonly existsStatus?: number;
}

/** Why an object may not be made at all. */
function refusal({ mode, type }: CreateRequest, { attributes }: CapturedAttributes): number {
  if ((attributes & type.invalidAttributes) !== 0) return STATUS.INVALID_PARAMETER;
  const permanent = (attributes & OBJ.PERMANENT) !== 0;
  if (permanent && !SeSinglePrivilegeCheck(SE_PRIVILEGE.CREATE_PERMANENT, mode))
    return STATUS.PRIVILEGE_NOT_HELD;
  return STATUS.SUCCESS;
}

/** Opens what is there already under the name of an object that was to be made. */
function* openExisting(
  request: CreateRequest,
  captured: CapturedAttributes,
  header: ObjectHeader,
): KernelCode<HandleResult> {
  const { mode, type, desiredAccess, existsStatus = STATUS.OBJECT_NAME_EXISTS } = request;
  const { attributes } = captured;
  const openIf = (attributes & OBJ.OPENIF) !== 0;
  if (!openIf && captured.name === '\\') return failed(STATUS.OBJECT_NAME_COLLISION);
  if (header.type !== type) return failed(STATUS.OBJECT_TYPE_MISMATCH);
  if (!openIf) return failed(STATUS.OBJECT_NAME_COLLISION);
  const result = yield* ObpCreateHandle({ header, mode, desiredAccess, attributes, opening: true });
  return result.status === STATUS.SUCCESS ? { ...result, status: existsStatus } : result;
}

/** Makes the object, and a handle to it. */
function* makeNew(
  request: CreateRequest,
  { attributes, securityDescriptor }: CapturedAttributes,
  place: { readonly directory: ObjectDirectory; readonly leaf: string } | null,
): KernelCode<HandleResult> {
  const { type, mode, desiredAccess } = request;
  const allowed = type.validAccessMask;
  const access = grantAccess({
    desiredAccess,
    mode,
    mapping: type.genericMapping,
    validAccessMask: allowed,
    allowed,
    needsSome: false,
  });
  if (access.status !== STATUS.SUCCESS) return failed(access.status);
  const body = request.make();
  if (body === undefined) return failed(STATUS.INSUFFICIENT_RESOURCES);
  const header =
    (body.objectHeader as ObjectHeader | undefined) ??
    objectManager(body.machine).allocate(type, body);
  header.permanent = (attributes & OBJ.PERMANENT) !== 0 && place !== null;
  header.kernelObject = mode === MODE.KernelMode;
  header.securityDescriptor = securityDescriptor;
  if (place !== null) {
    place.directory.insert(place.leaf, header);
    ObpReference(header);
    ObpReference(headerOf('ObInsertObject', place.directory));
  }
  const result = yield* ObpCreateHandle({
    header,
    mode,
    desiredAccess,
    attributes,
    opening: false,
  });
  if (result.status !== STATUS.SUCCESS && !header.permanent) yield* ObpRemoveName(header);
  yield* ObpDereference(header);
  return result;
}

/** Makes an object with a handle to it, under the name of its attributes if they have one. */
export function* ObpCreateObject(request: CreateRequest): KernelCode<HandleResult> {
  const { status, captured } = captureAttributes(request.attributes);
  if (status !== STATUS.SUCCESS) return failed(status);
  const refused = refusal(request, captured);
  if (refused !== STATUS.SUCCESS) return failed(refused);
  const { name } = captured;
  if (name === undefined) return yield* makeNew(request, captured, null);
  const { machine } = currentGuest('ObpCreateObject');
  const { mode, type } = request;
  const found = yield* lookupCaptured(machine, captured, name, type, mode, true);
  if (found.header !== undefined) return yield* openExisting(request, captured, found.header);
  const { directory, leaf } = found;
  if (directory === undefined || leaf === undefined) return failed(found.status);
  return yield* makeNew(request, captured, { directory, leaf });
}

/** Opens the object of a name. */
export function* ObpOpenObjectByName(
  mode: MODE,
  type: ObjectType | null,
  desiredAccess: number,
  attributes: ObjectAttributes | null,
): KernelCode<HandleResult> {
  const { status, captured } = captureAttributes(attributes);
  if (status !== STATUS.SUCCESS) return failed(status);
  const { name } = captured;
  if (name === undefined) return failed(STATUS.OBJECT_PATH_SYNTAX_BAD);
  const { machine } = currentGuest('ObpOpenObjectByName');
  const found = yield* lookupCaptured(machine, captured, name, type, mode, false);
  const { header } = found;
  if (header === undefined) return failed(found.status);
  if (type !== null && header.type !== type) return failed(STATUS.OBJECT_TYPE_MISMATCH);
  return yield* ObpCreateHandle({
    header,
    mode,
    desiredAccess,
    attributes: captured.attributes,
    opening: true,
  });
}
