/** What goes is named by its raw key: under another spelling of that key lies an object of somebody else, and stays. */
import { objectStoreCatalog } from '@moulin/catalog'
import { defineObjectStore, isKind } from '@moulin/core'
import type { ObjectStore } from '@moulin/core'
import { memory } from '@moulin/storage'
import { faultyStore, virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { failEveryCall, faults } from '../packages/lake/src/commit/commit-faults.test-support.ts'
import type { World } from '../packages/lake/src/commit/commit-faults.test-support.ts'
import { foreignAppend, tableOf } from '../packages/lake/src/foreign.test-support.ts'
import { checkTable, settled, testLog, utf8 } from '../packages/lake/src/lake.test-support.ts'

const PREFIX = 'a%41b/50%25 off/'

/** A store of which every object has neighbours: what its key decodes to, and what it is when it is encoded. */
class Neighbours {
  readonly store: ObjectStore
  readonly #inner = memory({ name: 'lakes' })
  readonly #innocent = new Map<string, string>()
  readonly deleted = new Set<string>()
  /** Run once, when the next manifest list has been put. */
  race: (() => Promise<void>) | undefined

  constructor() {
    const inner = this.#inner
    this.store = defineObjectStore({
      name: inner.name,
      root: inner.root,
      capabilities: inner.capabilities,
      durability: inner.durability,
      listOrder: inner.listOrder,
      get: (key, options) => inner.get(key, options),
      head: (key, options) => inner.head(key, options),
      list: (options) => inner.list(options),
      put: async (key, bytes, options) => {
        const made = await inner.put(key, bytes, options)
        if (key.startsWith(PREFIX)) await this.#settle(key)
        const { race } = this
        if (race !== undefined && key.includes('/metadata/snap-')) {
          this.race = undefined
          await race()
        }
        return made
      },
      delete: async (key, options) => {
        if (await inner.head(key)) this.deleted.add(key)
        await inner.delete(key, options)
      },
    })
  }

  async #settle(key: string): Promise<void> {
    const spellings = new Set([decodeURIComponent(key), decodeURI(key), encodeURI(key), key.replace('%41', 'A')])
    for (const spelling of spellings) {
      await this.#inner.put(spelling, utf8(`not ${key}`))
      this.#innocent.set(spelling, key)
    }
  }

  /** Fails unless all of them are there, and unless some of what they are neighbours of is not. */
  async check(): Promise<void> {
    for (const [key, raw] of this.#innocent) {
      expect(new TextDecoder().decode((await this.#inner.get(key)).bytes)).toBe(`not ${raw}`)
      expect(this.deleted).not.toContain(key)
    }
    expect(this.#innocent.size).toBeGreaterThan(0)
  }
}

function worldOf(neighbours: Neighbours): World {
  const runtime = virtualRuntime({ seed: 3 })
  const store = faultyStore(neighbours.store)
  return {
    log: testLog({ store, runtime, catalog: objectStoreCatalog({ store, runtime, prefix: PREFIX }) }),
    faulty: store,
  }
}

describe('an object whose key is another spelling of one that goes', () => {
  it.each(faults.flatMap((fault) => [false, true].map((isCrash) => [fault, isCrash] as const)))(
    'outlives settling and discard of commits that fail %s the effect (another process goes on: %s)',
    async (fault, isCrash) => {
      const all: Neighbours[] = []
      await failEveryCall(
        () => {
          all.push(new Neighbours())
          return worldOf(all.at(-1)!)
        },
        fault,
        isCrash,
      )
      for (const neighbours of all) await neighbours.check()
      const gone = all.flatMap(({ deleted }) => [...deleted]).filter((key) => key.startsWith(PREFIX))
      expect(gone.filter((key) => key.includes('/data/'))).not.toEqual([])
      expect(gone.filter((key) => key.endsWith('.avro'))).not.toEqual([])
    },
  )

  it('outlives the attempt of a commit that lost a race', async () => {
    const neighbours = new Neighbours()
    const { log } = worldOf(neighbours)
    const topic = await log.attach()
    log.hot.send(0, [{ value: utf8('a') }])
    neighbours.race = () => foreignAppend(log)
    await settled(log.runtime, topic.tier({ upTo: log.hot.committedOffsets() }))
    expect(neighbours.race).toBe(undefined)
    await checkTable(topic, log)
    await neighbours.check()
    const gone = [...neighbours.deleted].filter((key) => key.startsWith(PREFIX))
    expect(gone.map((key) => key.replace(/^.*\//, ''))).toEqual([
      expect.stringMatching(/-m0\.avro$/),
      expect.stringMatching(/^snap-.*\.avro$/),
    ])
  })

  it('outlives the expiry of snapshots, the collection of old versions, and the drop of the table', async () => {
    const neighbours = new Neighbours()
    const { log } = worldOf(neighbours)
    const topic = await log.attach()
    for (let commit = 0; commit < 130; commit++) {
      log.hot.send(commit % 2, [{ value: utf8(`${commit}`) }])
      await topic.tier({ upTo: log.hot.committedOffsets() })
      await log.runtime.clock.advance(6 * 3_600_000)
    }
    expect((await tableOf(log)).metadata.snapshots!.length).toBeLessThan(130)
    await checkTable(topic, log)
    await neighbours.check()
    expect(neighbours.deleted).toContain(`${PREFIX}shop/orders/metadata/v1.metadata.json`)
    await log.catalog.dropTable({ namespace: ['shop'], name: 'orders' })
    await neighbours.check()
    await expect(tableOf(log)).rejects.toSatisfy((error) => isKind(error, 'not-found'))
  })
})
