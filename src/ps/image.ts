import type { GuestResult } from '../machine/dpc';
import type { DriverObject } from '../machine/driver';
import type { CpuPort, HostBody } from '../machine/guest';
import { requireInteger } from '../machine/profile';
import type { LoadedProgram } from '../machine/program';
import type { FileObject } from './file';

/** Images: what is known of executables, DLLs and drivers, and what notify routines are told of them. */

export type ImageMachine = 'x64' | 'x86' | 'arm64';
export type ImageSubsystem = 'windows' | 'console' | 'native';
/** What the initial thread of a process runs. */
export type ProgramBody = LoadedProgram | HostBody | CpuPort;

export interface ImageOptions {
  /** Where it is mapped, a multiple of 0x1000. Default: a place of its own. */
  readonly base?: number;
  /** Bytes. Default 0x20000. */
  readonly size?: number;
  /** DLLs that are loaded after it and ntdll, in this order: full paths, or names in System32. */
  readonly imports?: readonly string[];
  /** SE_SIGNING_LEVEL_…, 0 to 15. Default 0. */
  readonly signatureLevel?: number;
  /** SE_IMAGE_SIGNATURE_TYPE, 0 to 7. Default 0. */
  readonly signatureType?: number;
  /** Default 'x64'. An 'arm64' image is of another architecture. */
  readonly machine?: ImageMachine;
  /** Default 'windows'; 'native' executables load ntdll only. */
  readonly subsystem?: ImageSubsystem;
  /** Its view does not cover the whole image. */
  readonly partialMap?: boolean;
  /** What its processes run. Default: they wait to be terminated. */
  readonly main?: ProgramBody;
  /** The entry routine of a DLL: called when threads begin and end, and by LdrLoadDll and LdrUnloadDll. */
  readonly dllMain?: DllMain;
  /** What its PE header says of entry point, stack and versions. */
  readonly header?: Partial<ImageHeader>;
}

/** Why the entry routine of a DLL is called. */
export const enum DLL_REASON {
  PROCESS_DETACH = 0,
  PROCESS_ATTACH = 1,
  THREAD_ATTACH = 2,
  THREAD_DETACH = 3,
}

/** The entry routine of a DLL, in user mode of its process: the DLL's address, and why it is called. */
export type DllMain = (dllHandle: number, reason: DLL_REASON) => GuestResult;

/** What a PE header says, as far as SECTION_IMAGE_INFORMATION has it. */
export interface ImageHeader {
  /** From the base; 0: it has none. Default 0x1000. */
  readonly entryPoint: number;
  /** Of the initial thread, bytes. Default 0x100000. */
  readonly stackReserve: number;
  /** Default 0x1000. */
  readonly stackCommit: number;
  /** Major and minor. Default [6, 0]. */
  readonly subsystemVersion: readonly [major: number, minor: number];
  /** The same of the system that it is for. Default [6, 0]. */
  readonly systemVersion: readonly [major: number, minor: number];
  /** IMAGE_FILE_… flags. Default: executable, with large addresses unless it is x86. */
  readonly characteristics: number;
  /** IMAGE_DLLCHARACTERISTICS_… flags. Default: relocatable, no execution of data. */
  readonly dllCharacteristics: number;
  readonly checkSum: number;
}

/** IMAGE_INFO. Nobody can write to it. */
export interface ImageInfo {
  /** The fields that follow, up to ImagePartialMap, in one word. */
  readonly Properties: number;
  /** IMAGE_ADDRESSING_MODE_32BIT, on 64-bit systems too. */
  readonly ImageAddressingMode: 3;
  /** It is a driver. */
  readonly SystemModeImage: boolean;
  readonly ImageMappedToAllPids: false;
  readonly ExtendedInfoPresent: true;
  /** Of another architecture: only routines that ask for them get to know it. */
  readonly MachineTypeMismatch: boolean;
  readonly ImageSignatureLevel: number;
  readonly ImageSignatureType: number;
  readonly ImagePartialMap: boolean;
  readonly ImageBase: number;
  readonly ImageSelector: 0;
  /** Bytes. */
  readonly ImageSize: number;
  readonly ImageSectionNumber: 0;
  /** CONTAINING_RECORD(ImageInfo, IMAGE_INFO_EX, ImageInfo). */
  readonly Extended: ImageInfoEx;
}

/** IMAGE_INFO_EX. */
export interface ImageInfoEx {
  /** Bytes: 0x38. */
  readonly Size: number;
  readonly FileObject: FileObject;
}

/** IMAGE_INFO_EX as x64 lays it out. */
const IMAGE_INFO_EX_BYTES = 0x38;
const IMAGE_ADDRESSING_MODE_32BIT = 3;

const enum PROPERTY {
  SystemModeImage = 0x100,
  ExtendedInfoPresent = 0x400,
  MachineTypeMismatch = 0x800,
  SignatureLevelShift = 12,
  SignatureTypeShift = 16,
  ImagePartialMap = 0x80000,
}

/** An image file that has been mapped, or can be. */
export class Image {
  readonly base: number;
  readonly size: number;
  readonly imports: readonly string[];
  readonly machine: ImageMachine;
  readonly subsystem: ImageSubsystem;
  readonly main: ProgramBody | undefined;
  readonly dllMain: DllMain | undefined;
  readonly file: FileObject;
  readonly info: ImageInfo;
  readonly header: ImageHeader;
  /** What a process of this executable maps, itself first, as the catalogue was when it was last asked. */
  mapping: readonly Image[] | undefined;

  constructor(
    /** As it is opened: `C:\Windows\System32\ntdll.dll`. */
    readonly path: string,
    options: ImageOptions,
    driver: boolean,
  ) {
    const named = (field: string) => `image '${path}': ${field}`;
    this.base = requireInteger(named('base'), options.base ?? 0, 0, 2 ** 64);
    this.size = requireInteger(named('size'), options.size ?? 0x20000, 1, 2 ** 40);
    this.machine = options.machine ?? 'x64';
    this.subsystem = options.subsystem ?? (driver ? 'native' : 'windows');
    this.imports = options.imports ?? [];
    this.main = options.main;
    this.dllMain = options.dllMain;
    this.file = { FileName: volumePath(path) };
    this.header = headerOf(options.header ?? {}, this.machine, named);
    const level = requireInteger(named('signatureLevel'), options.signatureLevel ?? 0, 0, 15);
    const type = requireInteger(named('signatureType'), options.signatureType ?? 0, 0, 7);
    const foreign = this.machine === 'arm64';
    const partial = options.partialMap === true;
    this.info = Object.freeze({
      Properties:
        IMAGE_ADDRESSING_MODE_32BIT |
        PROPERTY.ExtendedInfoPresent |
        (driver ? PROPERTY.SystemModeImage : 0) |
        (foreign ? PROPERTY.MachineTypeMismatch : 0) |
        (partial ? PROPERTY.ImagePartialMap : 0) |
        (level << PROPERTY.SignatureLevelShift) |
        (type << PROPERTY.SignatureTypeShift),
      ImageAddressingMode: IMAGE_ADDRESSING_MODE_32BIT,
      SystemModeImage: driver,
      ImageMappedToAllPids: false,
      ExtendedInfoPresent: true,
      MachineTypeMismatch: foreign,
      ImageSignatureLevel: level,
      ImageSignatureType: type,
      ImagePartialMap: partial,
      ImageBase: this.base,
      ImageSelector: 0,
      ImageSize: this.size,
      ImageSectionNumber: 0,
      Extended: Object.freeze({ Size: IMAGE_INFO_EX_BYTES, FileObject: this.file }),
    });
  }

  /** The name without its folder. */
  get name(): string {
    return this.path.slice(this.path.lastIndexOf('\\') + 1);
  }

  /** What notify routines are told of it: the name of its file on its volume. */
  get fullName(): string {
    return this.file.FileName;
  }
}

/** The image of a driver that is loaded. */
export function driverImage({ image }: DriverObject): Image {
  const { path, base, size } = image;
  return new Image(path, { base, size }, true);
}

/** IMAGE_FILE_EXECUTABLE_IMAGE, and IMAGE_FILE_LARGE_ADDRESS_AWARE or IMAGE_FILE_32BIT_MACHINE. */
const CHARACTERISTICS = 0x22;
const CHARACTERISTICS_32 = 0x102;
/** IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE and _NX_COMPAT. */
const DLL_CHARACTERISTICS = 0x140;

function headerOf(
  given: Partial<ImageHeader>,
  machine: ImageMachine,
  named: (field: string) => string,
): ImageHeader {
  const version = (field: string, parts: readonly [number, number] = [6, 0]) => {
    for (const part of parts) requireInteger(named(`header.${field}`), part, 0, 0xffff);
    return parts;
  };
  const number = (field: string, value: number | undefined, usual: number) =>
    requireInteger(named(`header.${field}`), value ?? usual, 0, 0xffff_ffff);
  const usual = machine === 'x86' ? CHARACTERISTICS_32 : CHARACTERISTICS;
  return {
    entryPoint: number('entryPoint', given.entryPoint, 0x1000),
    stackReserve: number('stackReserve', given.stackReserve, 0x10_0000),
    stackCommit: number('stackCommit', given.stackCommit, 0x1000),
    subsystemVersion: version('subsystemVersion', given.subsystemVersion),
    systemVersion: version('systemVersion', given.systemVersion),
    characteristics: number('characteristics', given.characteristics, usual),
    dllCharacteristics: number('dllCharacteristics', given.dllCharacteristics, DLL_CHARACTERISTICS),
    checkSum: number('checkSum', given.checkSum, 0),
  };
}

/** Drive C is the third volume, as on most machines. */
const FIRST_VOLUME = 3;

/** `C:\x` as `\Device\HarddiskVolume3\x`; any other name stays what it is. */
function volumePath(path: string): string {
  const drive = /^(?:\\\?\?\\)?([A-Za-z]):(?=\\)/.exec(path);
  if (drive === null) return path;
  const letter = (drive[1] as string).toUpperCase().charCodeAt(0) - 'C'.charCodeAt(0);
  return `\\Device\\HarddiskVolume${FIRST_VOLUME + letter}${path.slice(drive[0].length)}`;
}

/** `C:\x` as `\??\C:\x`: the name by which it is opened. */
export function openName(path: string): string {
  return /^[A-Za-z]:\\/.test(path) ? `\\??\\${path}` : path;
}

const SYSTEM32 = 'C:\\Windows\\System32';
const SYSWOW64 = 'C:\\Windows\\SysWOW64';

/** Where images without a base of their own begin, and how far they are apart. */
const EXECUTABLE_BASE = 0x7ff6_0000_0000;
const DLL_BASE = 0x7ffa_0000_0000;
const X86_EXECUTABLE_BASE = 0x40_0000;
const X86_DLL_BASE = 0x7000_0000;
const DRIVER_BASE = 0xffff_f800 * 2 ** 32;
const IMAGE_DISTANCE = 0x100_0000;

/** What a Windows executable loads besides itself and ntdll. */
const DEFAULT_IMPORTS = ['kernel32.dll', 'kernelbase.dll'];

const DLLS: readonly (readonly [path: string, options: ImageOptions])[] = [
  [`${SYSTEM32}\\ntdll.dll`, { size: 0x1f8000, signatureLevel: 12 }],
  [`${SYSTEM32}\\kernel32.dll`, { size: 0xbe000, signatureLevel: 12 }],
  [`${SYSTEM32}\\kernelbase.dll`, { size: 0x2f6000, signatureLevel: 12 }],
  [`${SYSWOW64}\\ntdll.dll`, { size: 0x1a4000, signatureLevel: 12, machine: 'x86' }],
  [`${SYSWOW64}\\kernel32.dll`, { size: 0xf0000, signatureLevel: 12, machine: 'x86' }],
  [`${SYSWOW64}\\kernelbase.dll`, { size: 0x218000, signatureLevel: 12, machine: 'x86' }],
];

/**
 * The images of a machine by path, without regard to case. One that nobody has described is made up
 * when it is first asked for.
 */
export class ImageCatalogue {
  private readonly images = new Map<string, Image>();
  /** By the names that were asked for. */
  private readonly known = new Map<string, Image>();
  private placed = 0;

  constructor() {
    for (const [path, options] of DLLS) this.describe(path, options);
  }

  /** Describes an image before it is first loaded, or anew for loads to come. */
  describe(path: string, options: ImageOptions = {}): Image {
    return this.add(path, options, isDriver(path));
  }

  private add(path: string, options: ImageOptions, driver: boolean): Image {
    const machine = options.machine ?? 'x64';
    const size = options.size ?? 0x20000;
    const base = options.base ?? this.nextBase(path, machine, driver, size);
    const program = isExecutable(path) && options.subsystem !== 'native';
    const imports = options.imports ?? (program ? DEFAULT_IMPORTS : []);
    const image = new Image(path, { ...options, machine, size, base, imports }, driver);
    this.images.set(keyOf(path), image);
    this.known.clear();
    for (const other of this.images.values()) other.mapping = undefined;
    return image;
  }

  private nextBase(path: string, machine: ImageMachine, driver: boolean, size: number): number {
    const place = this.placed * IMAGE_DISTANCE;
    if (driver) {
      this.placed += Math.ceil(size / IMAGE_DISTANCE);
      return DRIVER_BASE + place;
    }
    if (machine === 'x86' && isExecutable(path)) return X86_EXECUTABLE_BASE;
    this.placed += Math.ceil(size / IMAGE_DISTANCE);
    if (machine === 'x86') return X86_DLL_BASE + (place % 0x1000_0000);
    return (isExecutable(path) ? EXECUTABLE_BASE : DLL_BASE) + place;
  }

  /** An executable or driver by its path. */
  image(path: string): Image {
    const known = this.known.get(path);
    if (known !== undefined) return known;
    const image = this.images.get(keyOf(path)) ?? this.describe(path);
    this.known.set(path, image);
    return image;
  }

  /** A DLL by its path, or by its name in the system's folder of an architecture. */
  dll(name: string, machine: ImageMachine): Image {
    if (name.includes('\\')) return this.image(name);
    const path = `${machine === 'x86' ? SYSWOW64 : SYSTEM32}\\${name}`;
    return this.images.get(keyOf(path)) ?? this.describe(path, { machine });
  }

  /** What a new process of an executable maps before its program begins, in order. */
  mapping(executable: Image): readonly Image[] {
    if (executable.mapping !== undefined) return executable.mapping;
    const { machine, imports } = executable;
    const images = [executable, this.dll('ntdll.dll', 'x64')];
    if (machine === 'x86') images.push(this.dll('ntdll.dll', 'x86'));
    for (const name of imports) images.push(this.dll(name, machine));
    executable.mapping = images;
    return images;
  }
}

const keyOf = (path: string) => path.toLowerCase();
const isExecutable = (path: string) => !/\.(dll|sys|drv|ocx|cpl)$/i.test(path);
const isDriver = (path: string) => /\.sys$/i.test(path);
