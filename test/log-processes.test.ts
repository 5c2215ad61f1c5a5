/** The log under real processes on the real disk: killed, stopped, opened twice. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemFiles, type Log } from '@moulin/core'
import { fileWal, openLog } from '@moulin/log'
import { fileSystem } from '@moulin/storage'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startWriter, type WriterAck } from './support/log-writer-process.ts'

const isLong = process.env['MOULIN_LONG'] === '1'
const isCi = process.env['MOULIN_CI'] === '1'
const kills = isLong ? 100 : isCi ? 50 : 10
const stops = isLong ? 200 : isCi ? 25 : 5
const perRun = 6_000

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'moulin-log-'))
})
afterEach(async () => {
  await rm(dir, { recursive: true, force: true })
})

/** Opens what is there and holds it against what writers said was durable. */
async function check(acks: readonly WriterAck[], where: string): Promise<void> {
  const log = await openLog({
    store: fileSystem({ root: dir, files: systemFiles() }),
    wal: fileWal({ dir: `${dir}/log/wal`, segmentBytes: 128 * 1024 }),
  })
  try {
    const topic = await log.topic('orders')
    const found = new Map<string, string>()
    for (let partition = 0; partition < topic.partitions; partition++) {
      let expected = 0n
      for await (const { offset, bytes } of topic.read({ partition, to: 'end' })) {
        expect(offset, `${where}: offsets are dense`).toBe(expected++)
        found.set(`${partition}@${offset}`, Buffer.from(bytes!).toString().replace(/\.+$/, ''))
      }
    }
    for (const { partition, offset, value } of acks) {
      expect(found.get(`${partition}@${offset}`), `${where}: acked ${partition}@${offset}`).toBe(value)
    }
    expect(new Set(found.values()).size, `${where}: nothing twice`).toBe(found.size)
  } finally {
    await log.close()
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

describe('a log whose writers are killed', () => {
  it('has every acked record once, needs no hand, and goes on', { timeout: kills * perRun }, async () => {
    const acks: WriterAck[] = []
    for (let run = 0; run < kills; run++) {
      const writer = startWriter(dir, `run${run}`)
      await writer.acked(1)
      await pause(Math.random() * 150)
      writer.child.kill('SIGKILL')
      await writer.ended()
      expect(writer.error, `run ${run}`).toBeUndefined()
      expect(writer.acks.length, `run ${run}`).toBeGreaterThan(0)
      acks.push(...writer.acks)
      if (run % 5 === 4) await check(acks, `after ${run + 1} kills`)
    }
    await check(acks, 'at the end')
  })
})

describe('a writer that is stopped while a second one takes over', () => {
  it('acks nothing behind the takeover and overwrites nothing', { timeout: stops * perRun }, async () => {
    const acks: WriterAck[] = []
    for (let run = 0; run < stops; run++) {
      const first = startWriter(dir, `first${run}`)
      await first.acked(1)
      await pause(Math.random() * 100)
      first.child.kill('SIGSTOP')
      const second = startWriter(dir, `second${run}`, 'newest')
      await second.acked(20)
      expect(second.error, `run ${run}`).toBeUndefined()
      first.child.kill('SIGCONT')
      await first.ended()
      expect(first.error, `run ${run}`).toMatch(/^fenced FENCED/)
      second.child.kill('SIGKILL')
      await second.ended()
      for (const partition of [0, 1]) {
        const of = (all: readonly WriterAck[]): number[] =>
          all.filter((ack) => ack.partition === partition).map(({ offset }) => offset)
        const begin = Math.min(...of(second.acks))
        for (const offset of of(first.acks)) expect(offset, `run ${run}: partition ${partition}`).toBeLessThan(begin)
      }
      acks.push(...first.acks, ...second.acks)
    }
    await check(acks, 'at the end')
  })
})

describe('a folder that another process writes', () => {
  it('is refused, naming the process, until that is gone', { timeout: 60_000 }, async () => {
    const first = startWriter(dir, 'first')
    await first.acked(1)
    const second = startWriter(dir, 'second')
    await second.ended()
    expect(second.error).toBe(`conflict WRITER_ALIVE ${first.pid}`)
    const before = first.acks.length
    await first.acked(before + 10)
    first.child.kill('SIGKILL')
    await first.ended()
    expect(first.error).toBeUndefined()
    await check(first.acks, 'afterwards')
  })
})

describe('a closed log', () => {
  it('leaves no file open, no watcher and no timer', { timeout: 60_000 }, async () => {
    const openFiles = async (): Promise<number> => (await readdir('/proc/self/fd')).length
    const use = async (): Promise<void> => {
      const open = (access: 'read-write' | 'read-only'): Promise<Log> =>
        openLog({
          store: fileSystem({ root: dir, files: systemFiles() }),
          wal: fileWal({ dir: `${dir}/log/wal`, segmentBytes: 128 * 1024 }),
          access,
        })
      const log = await open('read-write')
      const topic = await log.ensureTopic('orders')
      const reader = await open('read-only')
      const tail = (await reader.topic('orders')).read()[Symbol.asyncIterator]()
      await topic.producer().sendAll(Array.from({ length: 500 }, () => ({ value: new Uint8Array(1_000) })))
      for (let i = 0; i < 500; i++) await tail.next()
      // Leaving early is enough: the log need not be closed for it.
      await tail.return!()
      const waiting = topic.read({ from: 'latest' })[Symbol.asyncIterator]().next()
      await Promise.all([log.close(), reader.close()])
      expect((await waiting).done).toBe(true)
    }
    await use()
    const [files, resources] = [await openFiles(), process.getActiveResourcesInfo().length]
    for (let i = 0; i < 5; i++) await use()
    expect(await openFiles()).toBeLessThanOrEqual(files)
    expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(resources)
  })
})
