import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { systemRuntime } from '@moulin/core'
import { made } from '../interop/cache.ts'

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

export interface ServiceCommand {
  readonly name: string
  readonly command: string
  /** `data` is a folder that goes with the server. */
  readonly args: (data: string) => readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** What is written into `data` before it starts, by name. */
  readonly files?: Readonly<Record<string, string>>
  /** Asked again and again; `log` is all that it has said until then. */
  readonly isUp: (log: string) => boolean | Promise<boolean>
}

/** Starts a server that ends by `close`. @throws with what it said last, when it ends before it is up, or is not within a minute. */
export async function startService(service: ServiceCommand): Promise<{ close(): Promise<void> }> {
  const { name, command, args, env, files = {}, isUp } = service
  const data = await mkdtemp(join(tmpdir(), 'moulin-service-'))
  for (const [file, text] of Object.entries(files)) await writeFile(join(data, file), text)
  const child = spawn(command, args(data), {
    cwd: data,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  let log = ''
  let isStarted = false
  // What it says is read on to the end, or saying it would block it.
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      if (!isStarted) log += chunk.toString()
    })
  let error: Error | undefined
  child.on('error', (thrown) => (error = thrown))
  const close = async (): Promise<void> => {
    if (error === undefined && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    await rm(data, { recursive: true, force: true })
  }
  for (let tries = 0; tries < 600 && !isStarted; tries++) {
    if (error !== undefined || child.exitCode !== null) break
    await timers.sleep(100)
    isStarted = await isUp(log)
  }
  if (isStarted) return { close }
  await close()
  throw new Error(`${name} did not start: ${log.slice(-2_000)}`, { cause: error })
}

/** Ports that are free by now. Below 55 000, for some take one ten thousand above for themselves. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  for (const server of servers) if (!server.listening) await once(server, 'listening')
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  for (const server of servers) {
    server.close()
    await once(server, 'close')
  }
  return ports.map((port) => (port > 55_000 ? port - 20_000 : port))
}

/** Whether somebody listens there. */
export async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

/**
 * The program of a Go module, built from source into `MOULIN_CACHE_DIR` (minutes, once). Wants Go on the machine.
 * @throws with what `go install` said.
 */
export async function goProgram(path: string, version: string): Promise<string> {
  const program = path.slice(path.lastIndexOf('/') + 1)
  const folder = await made(program, `${path}@${version}`, async (making) => {
    const env = { ...process.env, GOBIN: join(making, 'bin') }
    await run('go', ['install', `${path}@${version}`], { env, maxBuffer: 1 << 26 })
  })
  return join(folder, 'bin', program)
}
