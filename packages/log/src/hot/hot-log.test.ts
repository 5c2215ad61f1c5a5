/** What an append costs beside its bytes: nothing that grows with the partitions, nor with what is there already. */
import type { WalLocation, WalReader, WalWriter } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { HotLog, type HotTopic } from './hot-log.ts'
import { single } from '../produce/single.ts'
import type { TopicState } from '../topics/topic-state.ts'
import { TopicTiering } from '../tiering/topic-tiering.ts'
import { virtualRuntime } from '@moulin/testing'

const PARTITIONS = 5_000

/** The topic's partitions, and which of them have been looked at. */
function watched(topic: HotTopic): { readonly seen: Set<number>; readonly all: () => number } {
  const seen = new Set<number>()
  let walks = 0
  const { partitions } = topic
  const proxy = new Proxy(partitions, {
    get(target, key) {
      if (typeof key === 'string' && /^\d+$/.test(key)) seen.add(Number(key))
      else walks++
      return Reflect.get(target, key) as unknown
    },
  })
  ;(topic as { partitions: typeof partitions }).partitions = proxy
  return { seen, all: () => walks }
}

function hotLog(): { hot: HotLog; topic: HotTopic; append: (partition: number, bytes?: number) => Promise<unknown> } {
  const { clock } = virtualRuntime({ seed: 1 })
  const options = { tailRingBytes: 1_000, monotonic: () => clock.monotonic(), now: () => clock.now() }
  const hot = new HotLog({ ...options, gap: 'corrupt' })
  const topic = hot.topic('t', 0, PARTITIONS)
  const wal = {
    rejections: 0,
    append: async ({ baseOffset, lastOffset, batches }) => {
      const location = { segment: 's', position: 0, sizeBytes: batches.length }
      return { baseOffset: baseOffset!, lastOffset: lastOffset!, location, durability: 'memory' }
    },
  } satisfies Pick<WalWriter, 'rejections' | 'append'> as unknown as WalWriter
  const session = single().open({ wal, offsets: 'given', nextOffset: (...life) => hot.nextOffset(...life) })
  session.follow(hot)
  const append = (partition: number, bytes = 10): Promise<unknown> => {
    const facts = { topicId: 't', incarnation: 0, valueSchemaId: 0, keySchemaId: 0, appendedMs: 0 }
    return session.append({ ...facts, partition, batches: new Uint8Array(bytes), recordCount: 3, patch() {} })
  }
  return { hot, topic, append }
}

describe('an append', () => {
  it('looks at its own partition alone, tiering included', async () => {
    const { topic, append } = hotLog()
    const core = {
      access: 'read-write',
      tier: {},
      pressure: { appended() {}, ended() {}, wants: () => 'nothing' },
      limits: { commitBytes: 1_000_000 },
      runtime: virtualRuntime({ seed: 1 }),
    }
    const record = { name: 't', config: { freshnessMs: null } }
    const state = { core, hot: topic, record, attached: undefined, lookDueMs: Infinity }
    const tiering = new TopicTiering(state as unknown as TopicState)
    tiering.begin()
    await append(0)
    const { seen, all } = watched(topic)
    for (let at = 0; at < 20; at++) await append(7)
    expect([...seen]).toEqual([7])
    expect(all()).toBe(0)
    expect(topic.totalBytes).toBe(210)
    // What is due is still seen: a sixteenth of a commit.
    await append(9, 70_000)
    expect(all()).toBeGreaterThan(0)
    expect(tiering.untieredBytes).toBe(70_210)
    await tiering.stop()
  })
})

describe('a log that reads beside a writer', () => {
  it('lets go of the places that count no more, also of those from before its session was there', () => {
    const options = { tailRingBytes: 1_000, monotonic: () => 0, now: () => 0, gap: 'skip' } as const
    const hot = new HotLog(options)
    const recover = (baseOffset: bigint, position: number): void => {
      const facts = { topicId: 't', incarnation: 0, partition: 0, recordCount: 3, valueSchemaId: 0, keySchemaId: 0 }
      const header = { ...facts, appendedMs: 0, baseOffset, lastOffset: baseOffset + 2n }
      hot.recover(header, { segment: 's', position, sizeBytes: 10 })
    }
    const gone: WalLocation[] = []
    const reader = { release: async (locations) => void gone.push(...locations) } satisfies Partial<WalReader>
    recover(0n, 1)
    recover(3n, 2)
    // A hole: what was there is released, and so is all before it.
    recover(10n, 3)
    hot.attach(reader as unknown as WalReader)
    expect(gone.map(({ position }) => position)).toEqual([1, 2])
    // It has moved.
    recover(10n, 4)
    // It was given up before.
    recover(3n, 5)
    expect(gone.map(({ position }) => position)).toEqual([1, 2, 3, 5])
  })
})
