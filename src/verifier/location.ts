/** Where in a user's file something was called. */

/** A place in a source file, both from 1. */
export interface SourceLocation {
  /** As the engine names it: a path or a URL. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** A function of a user's file that was being executed, and where. */
export interface SourceFrame extends SourceLocation {
  /** As the engine names it; absent for one without a name. */
  readonly function?: string;
}

const FRAME = /(?:\()?((?:file:\/\/|https?:\/\/|\/|[A-Za-z]:[\\/])[^()]*?):(\d+):(\d+)\)?$/;

/** The function of a line of a stack: `at onProcess (file:…` of V8, `onProcess@file:…` of others. */
const FUNCTION = /^(?:at (?:async )?(\S.*?) \(|([^@/]+)@)/;

function placesOf(error: Error): (SourceFrame & { readonly text: string })[] {
  const places: (SourceFrame & { readonly text: string })[] = [];
  for (const line of (error.stack ?? '').split('\n')) {
    const text = line.trim();
    const found = FRAME.exec(text);
    if (found === null) continue;
    const [, file, row, column] = found as unknown as [string, string, string, string];
    const [, v8, other] = FUNCTION.exec(text) ?? [];
    const name = v8 ?? other;
    const place = { file, line: Number(row), column: Number(column), text };
    places.push(name === undefined ? place : { ...place, function: name });
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
 * The lines of users' files that are being executed, or that threw `error`, the innermost first; empty
 * if only the library's are.
 */
export function locate(error: Error = markPlace()): readonly SourceFrame[] {
  const frames: SourceFrame[] = [];
  for (const { text, ...place } of placesOf(error)) {
    if (text.includes(RUN_LOOP)) break;
    if (place.file.startsWith('node:') || (OWN !== '' && place.file.startsWith(OWN))) continue;
    frames.push(place);
  }
  return frames;
}

/** The innermost line of a stack, as findings have it. */
export function locationOf([innermost]: readonly SourceFrame[]): {
  readonly location?: SourceLocation;
} {
  if (innermost === undefined) return {};
  const { file, line, column } = innermost;
  return { location: { file, line, column } };
}

/** The function of the library's that a user's file has called; undefined if the engine does not tell. */
export function calledFromOutside(): string | undefined {
  let called: string | undefined;
  for (const place of placesOf(markPlace())) {
    if (!place.file.startsWith(OWN)) return called;
    called = place.function;
  }
  return undefined;
}
