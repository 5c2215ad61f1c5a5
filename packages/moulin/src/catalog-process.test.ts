/** `moulin catalog --fresh` on a bucket, as a process. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { systemRuntime } from '@moulin/core'
import { s3Fake } from '@moulin/testing'
import type { S3Fake } from '@moulin/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { fileWal, openLog } from './index.ts'
import { stubS3Environment } from './s3-environment.test-support.ts'

const PLACE = 's3://moulin/lake'
const cli = fileURLToPath(new URL('cli.ts', import.meta.url))
const { timers } = systemRuntime()

let dir = ''
let fake: S3Fake
const children: ChildProcess[] = []
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'moulin-catalog-process-'))
  fake = await s3Fake()
  stubS3Environment(fake)
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  vi.unstubAllEnvs()
  await fake.close()
  await rm(dir, { recursive: true })
})

const opened = () => openLog(PLACE, { wal: fileWal({ dir: join(dir, 'wal') }), threads: 0 })

/** The command as a process, once it listens or has ended. */
async function started(...flags: string[]) {
  const args = ['--conditions=moulin-source', cli, 'catalog', PLACE, '--listen', '127.0.0.1:0', ...flags]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  const seen = { out: '', err: '' }
  const ended = once(child, 'close').then(([status]: unknown[]) => ({ status, ...seen }))
  const up = new Promise<void>((resolve) => {
    child.stdout.on('data', (text: Buffer) => {
      seen.out += text.toString()
      resolve()
    })
  })
  child.stderr.on('data', (text: Buffer) => void (seen.err += text.toString()))
  await Promise.race([up, ended])
  const url = seen.out.split(' ', 1)[0]!
  return {
    ended,
    url,
    /** As Ctrl-C does. */
    async stop() {
      child.kill('SIGINT')
      return await ended
    },
    /** Rows of the table as an engine that loads it sees them. */
    async rows() {
      const answer = await fetch(`${url}/v1/namespaces/default/tables/rides`)
      const { metadata } = (await answer.json()) as { metadata: { snapshots: { summary: Record<string, string> }[] } }
      expect(answer.headers.get('moulin-stale-ms')).toBeNull()
      return Number(metadata.snapshots.at(-1)?.summary['total-records'] ?? 0)
    },
  }
}

const fresh = () => started('--fresh', '--max-staleness', '0', '--wal', join(dir, 'wal'))

/** Resolves when the fake has seen a data file come. */
async function dataFileWritten(): Promise<void> {
  const isOne = ({ method, target }: { readonly method: string; readonly target: string }): boolean =>
    method === 'PUT' && target.includes('/data/')
  while (!fake.requests.some(isOne)) await new Promise<void>((resolve) => timers.after(1, resolve, { ref: true }))
}

describe('moulin catalog --fresh on a bucket', { timeout: 240_000 }, () => {
  it('is refused beside a writer, serves what is hot, ends in order, and begins again', async () => {
    const writer = await opened()
    const producer = (await writer.ensureTopic('rides')).producer({ lingerMs: 0 })
    await producer.send({ value: Buffer.from('one') })
    await (await writer.topic('rides')).tier()
    await producer.send({ value: Buffer.from('two') })

    const refused = await (await fresh()).ended
    expect(refused).toMatchObject({ status: 2, out: '' })
    expect(refused.err).toContain(`process ${process.pid}`)
    await writer.close()

    const server = await fresh()
    await expect(opened()).rejects.toMatchObject({ kind: 'conflict', code: 'WRITER_ALIVE' })
    fake.forgetRequests()
    // Stopped in the middle of a load, which has it commit: the load is answered, and so is the log closed.
    const rows = server.rows()
    await dataFileWritten()
    const stopped = server.stop()
    expect(await rows).toBe(2)
    expect(await stopped).toMatchObject({ status: 0, err: '' })
    await expect(fetch(server.url)).rejects.toThrow()

    const again = await fresh()
    expect(await again.rows()).toBe(2)
    expect(await again.stop()).toMatchObject({ status: 0, err: '' })

    const log = await opened()
    const topic = await log.topic('rides')
    expect((await topic.audit()).clean).toBe(true)
    await topic.producer({ lingerMs: 0 }).send({ value: Buffer.from('three') })
    const values: string[] = []
    for await (const { bytes } of topic.read({ partition: 0, to: 'end' })) values.push(Buffer.from(bytes!).toString())
    expect(values).toEqual(['one', 'two', 'three'])
    await log.close()
  })
})
