/** Readers of the write-ahead tier and of the store, whose reads hang in a pool of four threads: no flush waits behind them. */
import { gatedReads, isKind, ReadGate } from '@moulin/core'
import type { FileHandle, Files } from '@moulin/core'
import { recordingMeter } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { pooledFiles } from '../../packages/core/src/system/pooled-files.test-support.ts'
import { bytesOf, collect, machine, openIn, type Machine } from './machine.ts'

interface Slow {
  readonly files: Files
  hold(): void
  release(): void
  /** Reads under way. */
  readonly reading: number
}

/** What a section of these tests takes, with its frame; looks at headers and scans read less or more. */
const isSection = (bytes: number): boolean => bytes > 900 && bytes < 2_000

/** The machine's disk behind a pool of threads; while it is held every read of a section stands still. */
function slow(on: Machine, gate: ReadGate): Slow {
  const { files } = on.disk
  let held: PromiseWithResolvers<void> | undefined
  let reading = 0
  const stuck: Files = {
    ...files,
    async open(path, mode): Promise<FileHandle> {
      const handle = await files.open(path, mode)
      return {
        ...handle,
        async read(position, length) {
          if (!isSection(length)) return handle.read(position, length)
          reading++
          await held?.promise
          reading--
          return handle.read(position, length)
        },
      }
    },
  }
  return {
    files: gatedReads(pooledFiles(stuck), gate),
    hold: () => void (held = Promise.withResolvers<void>()),
    release: () => held?.resolve(),
    get reading() {
      return reading
    },
  }
}

const turns = async ({ clock }: Machine): Promise<void> => {
  for (let turn = 0; turn < 50; turn++) await clock.advance(0)
}
const ended = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => value,
    (error: unknown) => (isKind(error, 'aborted') ? 'aborted' : error),
  )

describe('reads that hang', () => {
  it('let flushes pass, wait their turn together, and leave it at a signal', async () => {
    const on = machine()
    const gate = new ReadGate(2)
    const disk = slow(on, gate)
    const meter = recordingMeter()
    const runtime = { ...on.runtime(disk.files), meter }
    const log = await openIn(runtime, { limits: { tailRingBytes: 1 } })
    const topic = await log.createTopic('orders')
    const producer = topic.producer({ lingerMs: 0, batchBytes: 1 })
    const sent = Array.from({ length: 12 }, (_, at) => `${at}`.padEnd(900, '.'))
    for (const value of sent) await producer.send({ value: bytesOf(value) })
    disk.hold()
    const stop = new AbortController()
    const readers = Array.from({ length: 10 }, () => collect(topic.read({ partition: 0, to: 'end' })))
    const leaving = [0, 1].map(() => ended(collect(topic.read({ partition: 0, to: 'end', signal: stop.signal }))))
    await turns(on)
    // The rest waits: of the log's reads and of its store's.
    expect(disk.reading).toBe(2)
    expect(gate.waiting).toBeGreaterThanOrEqual(10)
    const before = gate.waiting
    expect(meter.total('moulin.file.reads.waiting')).toBe(before)
    stop.abort()
    expect(await Promise.all(leaving)).toEqual(['aborted', 'aborted'])
    expect(gate.waiting).toBe(before - 2)
    // Acked while they stand still: makes room, writes, syncs, looks for a newer writer.
    for (let at = 12; at < 20; at++) {
      const ack = producer.send({ value: bytesOf(`${at}`) })
      await turns(on)
      expect(await ack).toMatchObject({ offset: BigInt(at) })
    }
    expect(disk.reading).toBe(2)
    disk.release()
    await turns(on)
    for (const records of await Promise.all(readers)) expect(records.length).toBeGreaterThanOrEqual(12)
    expect(gate.waiting).toBe(0)
    await log.close()
  })

  it('of a reader beside the writer share the turn, and end for their own signal alone', async () => {
    const on = machine()
    const gate = new ReadGate(2)
    const disk = slow(on, gate)
    const log = await openIn(on.runtime(), { limits: { tailRingBytes: 1 } })
    const producer = (await log.createTopic('orders')).producer({ lingerMs: 0, batchBytes: 1 })
    for (let at = 0; at < 12; at++) await producer.send({ value: bytesOf(`${at}`.padEnd(900, '.')) })
    const beside = await openIn(on.runtime(disk.files), { access: 'read-only', limits: { tailRingBytes: 1 } })
    const topic = await beside.topic('orders')
    disk.hold()
    const stop = new AbortController()
    const leaving = ended(collect(topic.read({ partition: 0, to: 'end', signal: stop.signal })))
    const staying = Array.from({ length: 30 }, () => collect(topic.read({ partition: 0, to: 'end' })))
    await turns(on)
    expect(disk.reading).toBe(2)
    stop.abort()
    expect(await leaving).toBe('aborted')
    disk.release()
    await turns(on)
    for (const records of await Promise.all(staying)) expect(records).toHaveLength(12)
    await beside.close()
    await log.close()
  })
})
