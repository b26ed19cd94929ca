import { join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import * as ntps from '../src/index';

const TYPES = join(import.meta.dirname, '../build/ntps.d.ts');

const KINDS: readonly (readonly [ts.SymbolFlags, string])[] = [
  [ts.SymbolFlags.Class, 'class'],
  [ts.SymbolFlags.Function, 'function'],
  [ts.SymbolFlags.Enum, 'enum'],
  [ts.SymbolFlags.Variable, 'value'],
  [ts.SymbolFlags.Type, 'type'],
];

interface PublicName {
  readonly name: string;
  readonly kind: string;
}

function kindOf(symbol: ts.Symbol, checker: ts.TypeChecker): string {
  if (symbol.declarations?.some(ts.isTypeOnlyExportDeclaration)) return 'type';
  const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0;
  const { flags } = isAlias ? checker.getAliasedSymbol(symbol) : symbol;
  return KINDS.find(([flag]) => (flags & flag) !== 0)?.[1] ?? 'unknown';
}

/** What the shipped types export. */
function publicNames(): PublicName[] {
  const program = ts.createProgram([TYPES], { noLib: true, types: [] });
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(TYPES);
  const module = source === undefined ? undefined : checker.getSymbolAtLocation(source);
  if (module === undefined) return [];
  return checker
    .getExportsOfModule(module)
    .map((symbol) => ({ name: symbol.name, kind: kindOf(symbol, checker) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

test('the public names are the ones on record', async () => {
  const lines = publicNames().map(({ name, kind }) => `${name} ${kind}\n`);
  await expect(lines.join('')).toMatchFileSnapshot('golden/api.txt');
});

test('every public name but a type is there at run time, and nothing else is', () => {
  const values = publicNames().filter(({ kind }) => kind !== 'type');
  expect(Object.keys(ntps).sort()).toEqual(values.map(({ name }) => name).sort());
  expect(values.length).toBeGreaterThan(20);
});
