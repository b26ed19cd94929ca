import { STATUS } from '../../assembly/shared/status';
import type { MODE } from '../../assembly/shared/types';
import type { KernelCode } from '../ke/mode';
import type { Machine } from '../machine/machine';
import { OBJ } from './attributes';
import { ObjectDirectory, SymbolicLink } from './directory';
import type { ObjectBody, ObjectHeader } from './object';
import { headerOf } from './object';
import { objectManager } from './state';
import type { ObjectType } from './type';
import { ObpSymbolicLinkObjectType } from './types';

/** The way from a name to an object: one component after another, and on through links. */

/** What a parse procedure is told. */
export interface ParseContext {
  /** What is left of the path: '' or from a backslash on. */
  readonly remaining: string;
  /** The type that the caller wants; null: any. */
  readonly type: ObjectType | null;
  readonly attributes: number;
  readonly mode: MODE;
  /** It makes an object of the name, if there is none. */
  readonly creating: boolean;
}

/** What a parse procedure finds: an object, a path to go on with from the root, or why neither. */
export interface ParseResult {
  readonly status: number;
  readonly object?: ObjectBody;
  readonly reparse?: string;
}

/** Where a name leads: to an object, or to the directory where one would be inserted. */
export interface Lookup {
  readonly status: number;
  readonly header?: ObjectHeader;
  readonly directory?: ObjectDirectory;
  readonly leaf?: string;
}

/** Links that a name may go through. */
const MAXIMUM_REPARSES = 32;

/** A place on the way: an object, and what is left of the path. */
interface Place {
  readonly at: ObjectHeader;
  readonly rest: string;
}

function isPlace(value: Place | Lookup): value is Place {
  return 'at' in value;
}

/** From a directory on to what the next component names. */
function descend(directory: ObjectDirectory, rest: string, request: Request): Place | Lookup {
  const end = rest.indexOf('\\', 1);
  const component = end === -1 ? rest.slice(1) : rest.slice(1, end);
  const next = end === -1 ? '' : rest.slice(end);
  if (component === '') return { status: STATUS.OBJECT_NAME_INVALID };
  const insensitive = (request.attributes & OBJ.CASE_INSENSITIVE) !== 0;
  const header = directory.lookup(component, insensitive);
  if (header !== undefined) return { at: header, rest: next };
  if (next === '\\') return { status: STATUS.OBJECT_NAME_INVALID };
  if (next !== '') return { status: STATUS.OBJECT_PATH_NOT_FOUND };
  return { status: STATUS.OBJECT_NAME_NOT_FOUND, directory, leaf: component };
}

type Request = Omit<ParseContext, 'remaining'>;

/** Whether a link at the end of a path is what the caller wants. */
function wantsLink(rest: string, { type, attributes }: Request): boolean {
  return rest === '' && (type === ObpSymbolicLinkObjectType || (attributes & OBJ.OPENLINK) !== 0);
}

/** What an object that is no directory makes of the rest of the path. */
function* parseAt({ at, rest }: Place, request: Request): KernelCode<ParseResult> {
  const { body, type } = at;
  if (body instanceof SymbolicLink) {
    if (wantsLink(rest, request)) return { status: STATUS.SUCCESS, object: body };
    if ((request.attributes & OBJ.DONT_REPARSE) !== 0)
      return { status: STATUS.REPARSE_POINT_ENCOUNTERED };
    return { status: STATUS.SUCCESS, reparse: body.target + rest };
  }
  const { parse } = type.procedures;
  if (parse === undefined) {
    return rest === ''
      ? { status: STATUS.SUCCESS, object: body }
      : { status: STATUS.OBJECT_TYPE_MISMATCH };
  }
  const result = parse(body, { ...request, remaining: rest });
  return 'status' in result ? result : yield* result;
}

/**
 * Looks a name up, from the root or from an object. If only its last component is missing, the status
 * is STATUS_OBJECT_NAME_NOT_FOUND and the directory is where it would be. No reference is taken.
 */
export function* ObpLookupObjectName(
  machine: Machine,
  from: ObjectHeader | null,
  name: string,
  request: Request,
): KernelCode<Lookup> {
  const absolute = name.startsWith('\\');
  if (absolute === (from !== null)) return { status: STATUS.OBJECT_PATH_SYNTAX_BAD };
  const root = headerOf('ObpLookupObjectName', objectManager(machine).root);
  let place: Place = from === null ? { at: root, rest: name } : { at: from, rest: `\\${name}` };
  if (name === '\\') place = { at: root, rest: '' };
  for (let reparses = 0; reparses <= MAXIMUM_REPARSES; ) {
    const { body } = place.at;
    if (body instanceof ObjectDirectory) {
      if (place.rest === '') return { status: STATUS.SUCCESS, header: place.at };
      const next = descend(body, place.rest, request);
      if (!isPlace(next)) return next;
      place = next;
      continue;
    }
    const { status, object, reparse } = yield* parseAt(place, request);
    if (object !== undefined) return { status, header: headerOf('parse', object) };
    if (status !== STATUS.SUCCESS || reparse === undefined) return { status };
    if (!reparse.startsWith('\\')) return { status: STATUS.OBJECT_PATH_SYNTAX_BAD };
    place = { at: root, rest: reparse === '\\' ? '' : reparse };
    reparses++;
  }
  return { status: STATUS.OBJECT_NAME_NOT_FOUND };
}
