import { unavailable } from '@moulin/core'
import type { Catalog, ColdTopic } from '@moulin/core'
import { hookedStore, virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { plainCatalog } from '../catalog.test-support.ts'
import { allRows, change, foreignAppend, replaceRows, tableOf } from '../foreign.test-support.ts'
import { checkTable, settled, testLog, utf8 } from '../lake.test-support.ts'
import type { TestLog, TestLogOptions } from '../lake.test-support.ts'

function sendTwo(log: TestLog): void {
  for (const partition of [0, 1]) log.hot.send(partition, [{ value: utf8('x') }, { key: utf8('k'), value: null }])
}

const tierAll = (log: TestLog, topic: ColdTopic): ReturnType<ColdTopic['tier']> =>
  settled(log.runtime, topic.tier({ upTo: log.hot.committedOffsets() }))

/** The same table, through a catalog that answers. */
const outside = (log: TestLog): TestLog => log.reopen({ catalog: plainCatalog(log.store, log.runtime) })

describe('a commit that happened, of which its writer heard nothing', () => {
  /** The answer is lost, and the catalog out of reach until `back`. */
  function deafLog(options: TestLogOptions = {}): { log: TestLog; lose: () => void; back: () => void } {
    const store = hookedStore()
    const runtime = virtualRuntime({ seed: 6 })
    const inner = plainCatalog(store, runtime)
    let loses = false
    let isAway = false
    const away = (): Error => unavailable('AWAY', 'No answer.', { outcome: 'unknown' })
    const catalog: Catalog = {
      ...inner,
      async loadTable(table, call) {
        if (isAway) throw away()
        return inner.loadTable(table, call)
      },
      async commitTable(table, commit, call) {
        if (isAway) throw away()
        const loaded = await inner.commitTable(table, commit, call)
        if (!loses) return loaded
        isAway = true
        throw away()
      },
    }
    const log = testLog({ ...options, store, runtime, catalog })
    return { log, lose: () => void (loses = true), back: () => void (loses = isAway = false) }
  }

  async function expireToMain(log: TestLog): Promise<void> {
    const { metadata } = await tableOf(outside(log))
    const main = String(metadata['current-snapshot-id'])
    const old = metadata.snapshots!.map((snapshot) => snapshot['snapshot-id']).filter((id) => String(id) !== main)
    await change(outside(log), [{ action: 'remove-snapshots', 'snapshot-ids': old }])
  }

  const wide = { info: { partitions: 24 }, limits: { markerBytes: 1200 } }
  const worlds: { what: string; options: TestLogOptions; rewrite: boolean }[] = [
    { what: 'its files are live', options: {}, rewrite: false },
    { what: 'its files are live, its ledger an object', options: wide, rewrite: false },
    { what: 'its files were compacted, its ledger an object', options: wide, rewrite: true },
  ]

  it.each(worlds)('is not taken for a lost one once its snapshot has expired: $what', async ({ options, rewrite }) => {
    const { log, lose, back } = deafLog({ ...options, info: { partitionBy: [], ...options.info } })
    const topic = await log.attach()
    sendTwo(log)
    lose()
    await expect(tierAll(log, topic)).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN' })
    if (rewrite) await replaceRows(outside(log), [await allRows(outside(log))])
    else await foreignAppend(outside(log))
    await foreignAppend(outside(log))
    await expireToMain(log)
    back()
    sendTwo(log)
    await tierAll(log, topic)
    await checkTable(topic, log)
    await checkTable(await outside(log).attach(), log)
    for await (const { key } of log.store.list({ prefix: 'log/staged/' })) expect(key).toBe('nothing')
  })

  it('is not taken for a lost one by a writer that another one has followed', async () => {
    const { log, lose, back } = deafLog()
    const topic = await log.attach()
    sendTwo(log)
    lose()
    await expect(tierAll(log, topic)).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN' })
    const next = outside(log)
    const newer = await next.attach()
    sendTwo(log)
    await tierAll(next, newer)
    await expireToMain(log)
    back()
    await expect(tierAll(log, topic)).rejects.toMatchObject({ kind: 'fenced' })
    await checkTable(newer, next)
    await checkTable(await next.reopen().attach(), next)
  })
})
