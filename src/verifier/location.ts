/** Where in a user's file something was called. */

/** A place in a source file, both from 1. */
export interface SourceLocation {
  /** As the engine names it: a path or a URL. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

const FRAME = /(?:\()?((?:file:\/\/|https?:\/\/|\/|[A-Za-z]:[\\/])[^()]*?):(\d+):(\d+)\)?$/;

function placesOf(error: Error): (SourceLocation & { readonly text: string })[] {
  const places: (SourceLocation & { readonly text: string })[] = [];
  for (const text of (error.stack ?? '').split('\n')) {
    const found = FRAME.exec(text.trim());
    if (found === null) continue;
    const [, file, line, column] = found as unknown as [string, string, string, string];
    places.push({ file, line: Number(line), column: Number(column), text });
  }
  return places;
}

/** The library's own code: one file when it is bundled, else the files of its folders. */
const OWN = (() => {
  const file = placesOf(new Error())[0]?.file ?? '';
  const folder = file.lastIndexOf('/src/');
  return folder === -1 ? file : file.slice(0, folder + '/src/'.length);
})();

/** The run loop: what is below it on the stack is the embedder, not the guest. */
const RUN_LOOP = 'runLoop';

/** Frames to look through: each routine on the way takes a few. */
const DEPTH = 60;

/** What is on the engine's stack now, for `locate` later: taking it is cheap, reading it is not. */
export function markPlace(): Error {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = DEPTH;
  const mark = new Error('place');
  Error.stackTraceLimit = limit;
  return mark;
}

/**
 * The line of a user's file that is being executed, or that threw `error`; undefined if only the
 * library's are.
 */
export function locate(error: Error = markPlace()): SourceLocation | undefined {
  for (const { text, ...place } of placesOf(error)) {
    if (text.includes(RUN_LOOP)) return undefined;
    if (place.file.startsWith('node:') || (OWN !== '' && place.file.startsWith(OWN))) continue;
    return place;
  }
  return undefined;
}
