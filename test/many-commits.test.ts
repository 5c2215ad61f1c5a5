/** A commit every few seconds for days: what one costs, and what it leaves behind. The long run has as many as a day. */
import { objectStoreCatalog } from '@moulin/catalog'
import type { ColdTopic, ObjectStore } from '@moulin/core'
import { memory } from '@moulin/storage'
import { virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { checkFolder, cleanUpDue, HOUR, keysBelow } from '../packages/lake/src/forgotten/forgotten.test-support.ts'
import { checkTable, testLog, utf8 } from '../packages/lake/src/lake.test-support.ts'
import type { TestLog } from '../packages/lake/src/lake.test-support.ts'

const long = process.env['MOULIN_LONG'] === '1'
const timeout = long ? 1_800_000 : 180_000
const KiB = 1024
/** The long run has the defaults; the short one reaches the same state sooner. */
const scale = long
  ? { early: 500, late: 6000, stepMs: 3_000, limits: {} }
  : { early: 250, late: 1250, stepMs: 12_000, limits: { metadataWarnBytes: 512 * KiB } }

interface Cost {
  objects: number
  bytes: number
}

function counted(inner: ObjectStore, cost: Cost): ObjectStore {
  const count = (bytes: number): void => {
    cost.objects++
    cost.bytes += bytes
  }
  return {
    ...inner,
    async get(key, options) {
      const object = await inner.get(key, options)
      count(object.bytes.length)
      return object
    },
    put(key, bytes, options) {
      count(bytes.length)
      return inner.put(key, bytes, options)
    },
  }
}

class Life {
  readonly cost: Cost = { objects: 0, bytes: 0 }
  readonly log: TestLog
  topic!: ColdTopic
  commits = 0

  constructor() {
    const runtime = virtualRuntime({ seed: 11 })
    const store = counted(memory({ clock: runtime.clock }), this.cost)
    const catalog = objectStoreCatalog({ store, runtime, limits: scale.limits })
    this.log = testLog({ store, runtime, catalog, info: { partitions: 1 } })
  }

  /** Up to so many commits; what each costs, with the cleaning that is due meanwhile. */
  async upTo(commits: number): Promise<Cost> {
    const { log } = this
    const before = { ...this.cost }
    const first = this.commits
    while (this.commits < commits) {
      log.hot.send(0, [{ value: utf8(`${++this.commits}`) }])
      await log.runtime.clock.advance(scale.stepMs)
      await this.topic.tier({ upTo: log.hot.committedOffsets() })
      await cleanUpDue(log, this.topic)
    }
    const of = commits - first
    return { objects: (this.cost.objects - before.objects) / of, bytes: (this.cost.bytes - before.bytes) / of }
  }
}

describe('a table after very many commits', () => {
  it('costs no more a commit than after few, and keeps no file that nothing names', { timeout }, async () => {
    const life = new Life()
    const { log } = life
    life.topic = await log.attach()
    await life.upTo(scale.early - 100)
    const early = await life.upTo(scale.early)
    await life.upTo(scale.late - 1000)
    const between = await checkFolder(log)
    expect(between).toMatchObject({ unnamed: [], missing: [] })
    expect(between.unreached.length).toBeGreaterThan(0)
    await life.upTo(scale.late - 200)
    const late = await life.upTo(scale.late)
    if (long) console.log(JSON.stringify({ early, late }))
    expect(late.bytes / early.bytes).toBeLessThanOrEqual(1.2)
    expect(late.objects / early.objects).toBeLessThanOrEqual(1.2)

    const { metadata } = await log.catalog.loadTable({ namespace: ['shop'], name: 'orders' })
    expect(metadata.snapshots!.length).toBeGreaterThanOrEqual(100)
    expect(JSON.stringify(metadata, (_, n: unknown) => (typeof n === 'bigint' ? Number(n) : n)).length).toBeLessThan(
      scale.limits.metadataWarnBytes ?? 2048 * KiB,
    )
    const after = await checkFolder(log)
    expect(after).toMatchObject({ unnamed: [], missing: [] })

    await log.runtime.clock.advance(2 * HOUR)
    await cleanUpDue(log, life.topic)
    expect(await checkFolder(log)).toEqual({ unreached: [], unnamed: [], missing: [], records: [] })
    expect(life.topic.cleanUpDueMs!()).toBeUndefined()
    const versions = (await keysBelow(log.store, 'tables/shop/orders/metadata/v')).length
    expect(versions).toBeLessThan(120)
    await checkTable(life.topic, log)
  })
})
