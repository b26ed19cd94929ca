/** FILE_OBJECT, as far as notify routines and sections look at it. */
export interface FileObject {
  /** From the root of the object namespace or of a drive. */
  readonly FileName: string;
}
