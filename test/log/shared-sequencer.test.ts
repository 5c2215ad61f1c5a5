/** A log whose Wal has a second writer, which appends by itself: each learns the sections of the other. */
import type { LogRecord, Sequencer, SequencerSession, Topic, UnsequencedSection, Wal } from '@moulin/core'
import { encodeBatch, patchBatch } from '@moulin/format'
import { fileWal, openLog, single } from '@moulin/log'
import { fileSystem } from '@moulin/storage'
import { memoryWal, sharedSequencer } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { fakeColdTier, fakeTables } from './fake-cold-tier.ts'
import { bytesOf, LAKE, machine, SEGMENT_BYTES, textOf, valuesOf, WAL } from './machine.ts'

/** What the second writer appends: `values` in one batch. */
function sectionOf(topic: Topic, partition: number, values: readonly string[]): UnsequencedSection {
  const { id: topicId, incarnation } = topic
  const records = values.map((value, n) => {
    return { offset: BigInt(n), timestamp: 0n, key: null, value: bytesOf(value), headers: [] }
  })
  const batches = encodeBatch({ baseOffset: 0n, records, timestampType: 'create' })
  const patch = (baseOffset: bigint): void => patchBatch(batches, 0, { baseOffset, partitionLeaderEpoch: 0 })
  const ids = { valueSchemaId: 0, keySchemaId: 0, appendedMs: 0 }
  return { topicId, incarnation, partition, recordCount: values.length, ...ids, batches, patch }
}

/** What a writer is told: `partition@first-last`, in the order of the calls. */
function toldTo(session: SequencerSession): { readonly sections: string[]; readonly failures: Error[] } {
  const told = { sections: [] as string[], failures: [] as Error[] }
  session.follow({
    add({ partition, baseOffset, lastOffset }) {
      told.sections.push(`${partition}@${baseOffset}-${lastOffset}`)
    },
    failed: (error) => void told.failures.push(error),
  })
  return told
}

/** The same, of what the log itself is told. */
function overheard(sequencer: Sequencer, sections: string[]): Sequencer {
  return {
    ...sequencer,
    open(context) {
      const session = sequencer.open(context)
      return {
        ...session,
        follow: (follower) =>
          session.follow({
            ...follower,
            failed: (error) => follower.failed(error),
            add(header, location, batches) {
              sections.push(`${header.partition}@${header.baseOffset}-${header.lastOffset}`)
              follower.add(header, location, batches)
            },
          }),
      }
    },
  }
}

const wals: readonly (readonly [name: string, make: () => Wal])[] = [
  ['fileWal', () => fileWal({ dir: WAL, segmentBytes: SEGMENT_BYTES })],
  ['memoryWal', () => memoryWal({ seed: 4 })],
]

describe.each(wals)('a second writer over %s', (_, make) => {
  it('is read, tailed and tiered like the log itself, with dense offsets', async () => {
    const on = machine()
    const wal = make()
    const tables = fakeTables()
    const open = (access: 'read-write' | 'read-only', sequencer: Sequencer = single()): ReturnType<typeof openLog> => {
      const runtime = on.runtime()
      const store = fileSystem({ root: LAKE, files: runtime.files })
      return openLog({ store, wal, runtime, access, sequencer, tier: fakeColdTier(tables) })
    }
    const shared = sharedSequencer()
    const own: string[] = []
    const log = await open('read-write', overheard(shared, own))
    const topic = await log.createTopic('orders', { partitions: 2 })
    const beside = await open('read-only')
    const tailed: LogRecord[] = []
    const besides: LogRecord[] = []
    const tail = async (of: Topic<unknown>, into: LogRecord[]): Promise<void> => {
      for await (const record of of.read()) into.push(record)
    }
    const tails = [tail(topic, tailed), tail(await beside.topic('orders'), besides)]
    const other = shared.join()
    const told = toldTo(other)

    const producer = topic.producer({ lingerMs: 0, batchBytes: 1 })
    const offsets: string[] = []
    const sent: Promise<unknown>[] = []
    for (let n = 0; n < 12; n++) {
      const partition = n % 2
      const appended = other.append(sectionOf(topic, partition, [`other ${n}.0`, `other ${n}.1`]))
      sent.push(
        producer
          .send({ value: bytesOf(`log ${n}`), partition })
          .then(({ offset }) => offsets.push(`${partition}@${offset}-${offset}`)),
        appended.then(({ baseOffset, lastOffset }) => {
          const section = `${partition}@${baseOffset}-${lastOffset}`
          offsets.push(section)
          // Before the append resolved.
          expect(own).toContain(section)
          expect(told.sections).toContain(section)
        }),
      )
      if (n % 4 === 3) await Promise.all(sent)
    }
    await Promise.all(sent)
    expect(told.sections).toEqual(own)
    expect([...own].sort()).toEqual([...offsets].sort())
    const written = await valuesOf(topic, 0)
    expect(written).toHaveLength(18)
    expect([...written].sort()).toEqual(
      [0, 2, 4, 6, 8, 10].flatMap((n) => [`log ${n}`, `other ${n}.0`, `other ${n}.1`]).sort(),
    )
    await on.clock.advance(2_000)
    for (const records of [tailed, besides]) {
      const ofFirst = records.filter(({ partition }) => partition === 0)
      expect(ofFirst.map(({ offset }) => Number(offset))).toEqual(Array.from({ length: 18 }, (__, n) => n))
      expect(ofFirst.map(textOf)).toEqual(written)
    }

    // It makes a commit due, too, and what it wrote is in the table.
    expect((await topic.tier()).rows).toBe(36)
    await log.releaseNow()
    await other.append(sectionOf(topic, 1, ['last']))
    expect(topic.stats().untieredRecords).toBe(1)
    await other.close()
    await expect(other.append(sectionOf(topic, 1, ['more']))).rejects.toMatchObject({ kind: 'closed' })
    await beside.close()
    await log.close()
    await Promise.allSettled(tails)

    const again = await open('read-write')
    const found = await again.topic<Uint8Array>('orders')
    expect(await valuesOf(found, 0)).toEqual(written)
    expect((await valuesOf(found, 1)).at(-1)).toBe('last')
    const { offset } = await found.producer({ lingerMs: 0 }).send({ value: bytesOf('on'), partition: 1 })
    expect(offset).toBe(19n)
    await again.close()
  })

  it('ends with the log when the Wal fails', async () => {
    const on = machine()
    const wal = make()
    const open = (takeover: 'refuse' | 'newest', shared: Sequencer): ReturnType<typeof openLog> => {
      const runtime = on.runtime()
      return openLog({
        store: fileSystem({ root: LAKE, files: runtime.files }),
        wal,
        runtime,
        takeover,
        sequencer: shared,
      })
    }
    const shared = sharedSequencer()
    const log = await open('refuse', shared)
    const topic = await log.createTopic('orders')
    const other = shared.join()
    const told = toldTo(other)
    await other.append(sectionOf(topic, 0, ['kept']))
    const newer = await open('newest', single())
    await expect(other.append(sectionOf(topic, 0, ['lost']))).rejects.toMatchObject({ kind: 'fenced' })
    expect(told.failures).toMatchObject([{ kind: 'fenced' }])
    const sent = topic.producer({ lingerMs: 0 }).send({ value: bytesOf('lost, too') })
    await expect(sent).rejects.toMatchObject({ kind: 'closed' })
    // Whoever follows the topic learns it from the other writer's failure.
    const following = topic.read({ from: 1n })[Symbol.asyncIterator]().next()
    await expect(following).rejects.toMatchObject({ kind: 'fenced' })
    expect(await valuesOf(await newer.topic('orders'))).toEqual(['kept'])
    await log.close()
    await newer.close()
  })
})
