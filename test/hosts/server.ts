import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.wasm': 'application/wasm',
};

export interface Site {
  /** Folders by the path prefix under which they are seen; the first that fits counts. */
  readonly folders: Readonly<Record<string, string>>;
  /** Contents by whole path. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** Policies by whole path. */
  readonly policies?: Readonly<Record<string, string>>;
  /** Whether pages are cross-origin isolated: they may share memory with workers. */
  readonly isolated?: boolean;
}

export interface Server {
  readonly origin: string;
  close(): Promise<void>;
}

async function contentOf(site: Site, path: string): Promise<string | Uint8Array | undefined> {
  const file = site.files?.[path];
  if (file !== undefined) return file;
  const found = Object.entries(site.folders).find(([prefix]) => path.startsWith(prefix));
  if (found === undefined) return undefined;
  const [prefix, folder] = found;
  return readFile(join(folder, normalize(`/${path.slice(prefix.length)}`))).catch(() => undefined);
}

/** A static server on a free port of this machine. */
export async function serve(site: Site): Promise<Server> {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const content = await contentOf(site, pathname);
    const policy = site.policies?.[pathname];
    if (policy !== undefined) response.setHeader('Content-Security-Policy', policy);
    if (site.isolated === true) {
      response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
      response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
    }
    const type = TYPES[extname(pathname)] ?? 'application/octet-stream';
    response.setHeader('Content-Type', type);
    response.writeHead(content === undefined ? 404 : 200).end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
