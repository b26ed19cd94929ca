import type { Image, ImageMachine, ImageSubsystem } from './image';

/** What a section of an image tells of its PE header. */

/** SECTION_IMAGE_INFORMATION. */
export interface SectionImageInformation {
  /** The address of its entry point. */
  readonly TransferAddress: number;
  readonly ZeroBits: number;
  readonly MaximumStackSize: number;
  readonly CommittedStackSize: number;
  /** IMAGE_SUBSYSTEM_…: 1 native, 2 windows, 3 console. */
  readonly SubSystemType: number;
  readonly SubSystemMinorVersion: number;
  readonly SubSystemMajorVersion: number;
  readonly MajorOperatingSystemVersion: number;
  readonly MinorOperatingSystemVersion: number;
  readonly ImageCharacteristics: number;
  readonly DllCharacteristics: number;
  readonly Machine: number;
  readonly ImageContainsCode: boolean;
  readonly ImageFlags: number;
  readonly LoaderFlags: number;
  readonly ImageFileSize: number;
  readonly CheckSum: number;
}

/** As x64 lays it out. */
export const SECTION_IMAGE_INFORMATION_BYTES = 64;

const SUBSYSTEMS: Readonly<Record<ImageSubsystem, number>> = { native: 1, windows: 2, console: 3 };

/** IMAGE_FILE_MACHINE_…. */
export const MACHINES: Readonly<Record<ImageMachine, number>> = {
  x64: 0x8664,
  x86: 0x14c,
  arm64: 0xaa64,
};

/** ImageDynamicallyRelocated: where images are, the catalogue has decided. */
const DYNAMICALLY_RELOCATED = 4;

export function sectionImageInformation(image: Image): SectionImageInformation {
  const { base, size, header } = image;
  return {
    TransferAddress: header.entryPoint === 0 ? 0 : base + header.entryPoint,
    ZeroBits: 0,
    MaximumStackSize: header.stackReserve,
    CommittedStackSize: header.stackCommit,
    SubSystemType: SUBSYSTEMS[image.subsystem],
    SubSystemMinorVersion: header.subsystemVersion[1],
    SubSystemMajorVersion: header.subsystemVersion[0],
    MajorOperatingSystemVersion: header.systemVersion[0],
    MinorOperatingSystemVersion: header.systemVersion[1],
    ImageCharacteristics: header.characteristics,
    DllCharacteristics: header.dllCharacteristics,
    Machine: MACHINES[image.machine],
    ImageContainsCode: header.entryPoint !== 0,
    ImageFlags: DYNAMICALLY_RELOCATED,
    LoaderFlags: 0,
    ImageFileSize: size,
    CheckSum: header.checkSum,
  };
}
