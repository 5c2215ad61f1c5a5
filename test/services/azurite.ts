import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { made } from '../interop/cache.ts'

const VERSION = '3.37.0'
const ACCOUNT = 'devstoreaccount1'
/** The key that every Azurite has, published by Microsoft. */
const KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='

export interface Azurite {
  /** Of the server, without the account: `http://127.0.0.1:PORT`. */
  readonly url: string
  readonly account: string
  readonly accountKey: string
  close(): Promise<void>
}

/**
 * Microsoft's emulator of Azure Blob Storage, in memory: that of `MOULIN_AZURITE_URL`, or one of its own on loopback, installed by npm
 * into `MOULIN_CACHE_DIR` (some 80 seconds, once).
 */
export async function azurite(): Promise<Azurite> {
  const running = process.env['MOULIN_AZURITE_URL']
  const named = { account: ACCOUNT, accountKey: KEY }
  if (running !== undefined) return { ...named, url: running, close: () => Promise.resolve() }
  const main = await installed()
  const port = await freePort()
  const args = ['--blobHost', '127.0.0.1', '--blobPort', String(port)]
  const flags = ['--skipApiVersionCheck', '--disableTelemetry', '--silent', '--inMemoryPersistence']
  const child = spawn(process.execPath, [main, ...args, ...flags], { stdio: ['ignore', 'pipe', 'inherit'] })
  await announced(child)
  return {
    ...named,
    url: `http://127.0.0.1:${port}`,
    async close() {
      if (child.exitCode !== null) return
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

async function installed(): Promise<string> {
  const args = ['install', '--no-audit', '--no-fund', '--loglevel=error', `azurite@${VERSION}`]
  const folder = await made('azurite', VERSION, async (making) => {
    await writeFile(join(making, 'package.json'), '{"private":true}\n')
    await promisify(execFile)('npm', args, { cwd: making })
  })
  return join(folder, 'node_modules/azurite/dist/src/blob/main.js')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Its own word that it listens. What it says is read on to the end, or saying it would break it. */
async function announced(child: ChildProcess): Promise<void> {
  let text = ''
  await new Promise<void>((resolve, reject) => {
    child.stdout!.on('data', (chunk) => {
      text += String(chunk)
      if (text.includes('successfully listens')) resolve()
    })
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`Azurite ${VERSION} did not start: ${text}`)))
  })
}
