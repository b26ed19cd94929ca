import { STATUS } from '../../assembly/shared/status';
import { type KernelCode, systemService } from '../ke/mode';
import { currentGuest } from '../machine/guest';
import type { Machine } from '../machine/machine';
import {
  captureAttributes,
  failed,
  type HandleResult,
  type ObjectAttributes,
} from '../ob/attributes';
import { ObpCreateObject } from '../ob/create';
import { HostObject } from '../ob/object';
import { IoFileObjectType } from '../ob/types';
import type { Image } from './image';
import { processManager } from './manager';

/** Files of executables, DLLs and drivers, as far as sections of them are made. */

/** FILE_OBJECT of an image file. */
export class ImageFile extends HostObject {
  constructor(
    machine: Machine,
    readonly image: Image,
  ) {
    super(machine);
  }
}

/** `\??\C:\x.exe` and the like as the catalogue has it; undefined: no path from a root. */
function pathOf(name: string): string | undefined {
  const path = name.replace(/^\\(\?\?|DosDevices|GLOBAL\?\?)\\/i, '');
  return /^([A-Za-z]:)?\\./.test(path) ? path : undefined;
}

const openFile = systemService(
  'OpenFile',
  function* (
    mode,
    desiredAccess: number,
    objectAttributes: ObjectAttributes,
    _shareAccess: number,
    _openOptions: number,
  ): KernelCode<HandleResult> {
    const { status, captured } = captureAttributes(objectAttributes);
    if (status !== STATUS.SUCCESS) return failed(status);
    const path = pathOf(captured.name ?? '');
    if (path === undefined) return failed(STATUS.OBJECT_PATH_SYNTAX_BAD);
    const { machine } = currentGuest('NtOpenFile');
    const image = processManager(machine).images.image(path);
    return yield* ObpCreateObject({
      mode,
      type: IoFileObjectType,
      desiredAccess,
      attributes: { Attributes: captured.attributes },
      make: () => new ImageFile(machine, image),
    });
  },
);

/**
 * Opens an image file by its path; one that nobody has described is made up.
 *
 * @returns SUCCESS with a handle; OBJECT_PATH_SYNTAX_BAD; INVALID_PARAMETER.
 * @irql PASSIVE_LEVEL
 * @nt NtOpenFile (partial: images of the catalogue, whatever sharing and options; there is no file system)
 */
export const NtOpenFile = openFile.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwOpenFile (partial: images of the catalogue, whatever sharing and options; there is no file system) */
export const ZwOpenFile = openFile.zw;
