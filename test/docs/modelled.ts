import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/** A routine of Windows as a docstring tells of it: `@irql …`, `@nt Name`, `@nt Name (partial: why)`. */
export interface Modelled {
  readonly name: string;
  readonly irql: string;
  readonly partial: string | undefined;
  readonly from: string;
}

/** Who can call what a file has. */
const CALLERS: readonly (readonly [folder: string, caller: string])[] = [
  ['assembly/ke', 'programs'],
  ['src/ke', 'host threads'],
  ['src/ex', 'host threads'],
  ['src/ob', 'host threads'],
  ['src/io', 'host threads'],
  ['src/ps', 'host threads'],
  ['src/machine', 'outside'],
];

/** Names that drivers and programs may call: Ki, Exp and the like, and what is @internal, are the kernel's own. */
const PUBLIC =
  /^(Ke|Ex|Ob|Ps|Nt|Zw|Rtl|Io|Se|FsRtl|Interlocked)[A-Z]|^(InitializeListHead|IsListEmpty|\w+(Head|Tail|Entry)List)$/;

/** Every block comment that opens with two stars, as the compiler finds them before what they tell of. */
function docstringsOf(path: string): string[] {
  const text = readFileSync(path, 'utf8');
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest);
  const found = new Map<number, string>();
  const visit = (node: ts.Node): void => {
    for (const { pos, end } of ts.getLeadingCommentRanges(text, node.getFullStart()) ?? []) {
      const comment = text.slice(pos, end);
      if (comment.startsWith('/**')) {
        found.set(pos, comment.slice(3, -2).replaceAll(/\s*\n\s*\*\s*/g, ' '));
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return [...found.values()];
}

/** The routines that one file's docstrings name. */
export function routinesIn(path: string, from: string): Modelled[] {
  return docstringsOf(path).flatMap((text) => {
    const name = /@nt (\w+)/.exec(text)?.[1];
    if (name === undefined || !PUBLIC.test(name) || text.includes('@internal')) return [];
    const partial = /@nt \w+\s+\(partial: ([^)]*)\)/.exec(text)?.[1];
    const irql = /@irql (.*?)\s*(?=@|$)/.exec(text)?.[1] ?? '';
    return [{ name, irql, partial, from }];
  });
}

/** One row a routine: whoever can call it, and what is missing for whom. */
export function modelledTable(root: string): string {
  const folders = CALLERS.filter(([folder]) => existsSync(join(root, folder)));
  const all = folders.flatMap(([folder, caller]) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) => routinesIn(join(root, folder, file), caller)),
  );
  const names = [...new Set(all.map(({ name }) => name))].sort();
  const rows = names.map((name) => {
    const own = all.filter((routine) => routine.name === name);
    const callers = [...new Set(CALLERS.map(([, caller]) => caller))].filter((caller) =>
      own.some(({ from }) => from === caller),
    );
    const irql = own.find((routine) => routine.irql !== '')?.irql ?? '';
    const reasons = [...new Set(own.flatMap(({ partial }) => partial ?? []))];
    const state = reasons.length === 0 ? 'yes' : `partial: ${reasons.join('; ')}`;
    return `| ${name} | ${irql} | ${callers.join(', ')} | ${state} |`;
  });
  return ['| routine | IRQL | for | modelled |', '|---|---|---|---|', ...rows].join('\n');
}
