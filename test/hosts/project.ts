import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import ts from 'typescript';

const ROOT = join(import.meta.dirname, '../..');

/** A module of this folder as Node and browsers take it. */
export function moduleText(name: string): string {
  const text = readFileSync(join(import.meta.dirname, name), 'utf8');
  return ts.transpileModule(text, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  }).outputText;
}

/** A project elsewhere on the disk, with the package and what that declares as its dependencies. */
export class Project {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'ntps-project-')));
  readonly tarball: string;
  /** Paths of the files in the package. */
  readonly files: readonly string[];

  constructor() {
    const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', this.folder];
    const [packed] = JSON.parse(execFileSync('npm', pack, { cwd: ROOT, encoding: 'utf8' }));
    this.tarball = join(this.folder, packed.filename);
    this.files = packed.files.map((file: { path: string }) => file.path).sort();
    const installed = join(this.folder, 'node_modules/ntps');
    mkdirSync(installed, { recursive: true });
    execFileSync('tar', ['-xzf', this.tarball, '--strip-components=1', '-C', installed]);
    const { dependencies } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
    for (const name of Object.keys(dependencies)) {
      symlinkSync(join(ROOT, 'node_modules', name), join(this.folder, 'node_modules', name), 'dir');
    }
    this.write('package.json', JSON.stringify({ private: true, type: 'module' }));
  }

  write(path: string, content: string | Uint8Array): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), content);
  }

  /** Runs Node in the project; what it wrote to standard output. */
  node(...args: string[]): string {
    return execFileSync(process.execPath, args, { cwd: this.folder, encoding: 'utf8' });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}
