/** What an append costs beside its bytes: nothing that grows with the partitions, nor with what is there already. */
import type { SequencerSession } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { HotLog, type HotTopic } from './hot-log.ts'
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
  const next = new Map<number, bigint>()
  const session: SequencerSession = {
    async append({ partition, recordCount, batches }) {
      const baseOffset = next.get(partition) ?? 0n
      next.set(partition, baseOffset + BigInt(recordCount))
      const location = { segment: 's', position: 0, sizeBytes: batches.length }
      return { baseOffset, lastOffset: baseOffset + BigInt(recordCount) - 1n, location }
    },
    async close() {},
  }
  const append = (partition: number, bytes = 10): Promise<unknown> => {
    const batches = new Uint8Array(bytes)
    const ids = { valueSchemaId: 0, keySchemaId: 0 }
    return hot.append(session, topic, { partition, batches, recordCount: 3, ...ids, patch() {} })
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
