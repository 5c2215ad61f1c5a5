/** A key has 1024 bytes, with the prefix of the place: a log that could ack what it can never tier is refused before it acks anything. */
import { objectStoreCatalog } from '@moulin/catalog'
import type { ObjectStore } from '@moulin/core'
import { icebergTier } from '@moulin/lake'
import { openLog } from '@moulin/log'
import { memory, prefix } from '@moulin/storage'
import { memoryWal, virtualRuntime } from '@moulin/testing'
import { expect, it } from 'vitest'
import { isKind } from 'moulin'

type Outcome = 'place refused' | 'topic refused' | 'tiered'

async function outcomeAt(store: ObjectStore, table: string): Promise<Outcome> {
  const runtime = virtualRuntime({ seed: 1 })
  const tier = icebergTier({ catalog: objectStoreCatalog({ store, runtime }), threads: 0 })
  const opening = openLog({ store, wal: memoryWal({ seed: 1 }), tier, runtime })
  const refused = await opening.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (refused !== undefined) {
    expect(refused).toSatisfy((error) => isKind(error, 'invalid', 'KEY_ROOM'))
    expect(String(refused)).toMatch(/log\/staged\/.*longer than 1024 bytes.*Choose a shorter prefix/)
    for await (const { key } of store.list()) expect(key).toBe('nothing')
    return 'place refused'
  }
  const log = await opening
  try {
    const topic = await log.ensureTopic('orders', { table })
    await topic.producer({ lingerMs: 0 }).send({ value: new Uint8Array(10) })
    await topic.tier()
    expect(topic.offsets()).toMatchObject([{ highWatermark: 1n, frontier: 1n }])
    return 'tiered'
  } catch (error) {
    expect(error).toSatisfy((found) => isKind(found, 'invalid', 'KEY_ROOM'))
    expect(String(error)).toContain(`the table ${table} will need it. Choose a shorter name for the table, or`)
    expect(await log.topics()).toEqual([])
    return 'topic refused'
  } finally {
    await log.close()
  }
}

it('tiers what it has acked, or acks nothing, at every length of the prefix', { timeout: 60_000 }, async () => {
  const found: Outcome[] = []
  for (let length = 900; length < 960; length++) {
    found.push(await outcomeAt(prefix(memory(), `${'p'.repeat(length - 1)}/`), 'default.orders'))
  }
  // Not refused for nothing: in the last place that is taken the longest key fits in exactly.
  const [tiered, topic, place] = (['tiered', 'topic refused', 'place refused'] as const).map((each) =>
    found.lastIndexOf(each),
  )
  expect([tiered, topic, place]).toEqual([22, 35, 59])
  expect(new Set(found.slice(0, tiered! + 1))).toEqual(new Set(['tiered']))
})

it('counts the levels of a table, and takes shorter ones in the same place', async () => {
  const store = prefix(memory(), `${'ü'.repeat(300)}/`)
  const levels = (count: number): string => Array.from({ length: count }, () => 'n'.repeat(60)).join('.')
  expect(await outcomeAt(store, `${levels(6)}.t`)).toBe('topic refused')
  expect(await outcomeAt(prefix(memory(), `${'ü'.repeat(300)}/`), `${levels(4)}.t`)).toBe('tiered')
})
