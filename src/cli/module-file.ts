/** Modules that are given to the command: drivers and scenes. */
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MachineError } from '../index';
import * as ntps from '../index';

/** Files by the URL that a stack has of them. */
const imported = new Map<string, string>();

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** What a file is that Node cannot import, in words; undefined: it is a module, with something wrong inside. */
function problemOf(file: string, url: string, error: unknown): string | undefined {
  const code = codeOf(error);
  const missing = error instanceof Error && 'url' in error && error.url === url;
  if (code === 'ERR_MODULE_NOT_FOUND' && missing) return 'there is no such file; check its name';
  if (code === 'ERR_UNSUPPORTED_DIR_IMPORT') return 'this is a directory; name a file';
  if (/^\.[cm]?tsx?$/.test(extname(file))) {
    if (code === 'ERR_UNKNOWN_FILE_EXTENSION')
      return `this Node.js (${process.version}) does not run TypeScript; compile it with tsc, or use Node.js 22.18 or newer`;
    if (error instanceof SyntaxError || code === 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING')
      return `Node.js does not run this TypeScript (${error instanceof Error ? error.message : code}); compile it with tsc`;
  }
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION' || extname(file) === '.json')
    return `this is no JavaScript module: its name ends in '${extname(file)}'; give a .js or .mjs file`;
  const badText = error instanceof SyntaxError && !/\bexport named\b/.test(error.message);
  return badText ? `this is no JavaScript module (${error.message})` : undefined;
}

/** Why a file cannot be imported, and what to do. */
function unusable(file: string, url: string, what: string, error: unknown): MachineError {
  const problem = problemOf(file, url, error);
  if (problem !== undefined) return new MachineError(`${file}: ${problem}`);
  const why = error instanceof Error ? error.message : String(error);
  const remedy =
    codeOf(error) === 'ERR_MODULE_NOT_FOUND' && why.includes("'ntps'")
      ? '; install ntps beside it, or export a function (ntps) => that'
      : '';
  return new MachineError(`${file}: this ${what} cannot be imported (${why})${remedy}`);
}

/**
 * What a module exports by default; if that is a function, what it returns when given the library.
 *
 * @throws MachineError if it cannot be imported.
 */
export async function importDefault(file: string, what: string): Promise<unknown> {
  const url = pathToFileURL(resolve(file)).href;
  imported.set(url, file);
  const module: { readonly default?: unknown } = await import(url).catch((error: unknown) => {
    throw unusable(file, url, what, error);
  });
  const exported = module.default;
  return typeof exported === 'function'
    ? (exported as (library: typeof ntps) => unknown)(ntps)
    : exported;
}

/** What to say of a promise of a module that is rejected while nobody awaits it; undefined: it is of none. */
export function rejectionLine(reason: unknown): string | undefined {
  if (imported.size === 0) return undefined;
  const why = 'an async function of it failed, and nothing awaits that';
  if (!(reason instanceof Error))
    return `${[...imported.values()].join(' or ')}: ${why}: ${reason}`;
  for (const [url, file] of imported) {
    const at = reason.stack?.indexOf(url) ?? -1;
    if (at < 0) continue;
    const place = /^\S*?:\d+:\d+/.exec(reason.stack?.slice(at + url.length) ?? '')?.[0] ?? '';
    return `${file}${place}: ${why}: ${reason}`;
  }
  return undefined;
}
