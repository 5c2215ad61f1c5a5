/** A commit that is on its way for so long that its files are gone when it arrives, and the table is back at its parent. */
import { unavailable } from '@moulin/core'
import type { Catalog, ColdTopic, TableCommit } from '@moulin/core'
import { hookedStore, virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { plainCatalog } from '../catalog.test-support.ts'
import { allRows, change, foreignAppend, tableOf } from '../foreign.test-support.ts'
import { checkTable, settled, testLog, utf8 } from '../lake.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'

const sendTwo = (log: TestLog): void => {
  for (const partition of [0, 1]) log.hot.send(partition, [{ value: utf8('x') }, { key: utf8('k'), value: null }])
}
const tierAll = (log: TestLog, topic: ColdTopic): ReturnType<ColdTopic['tier']> =>
  settled(log.runtime, topic.tier({ upTo: log.hot.committedOffsets() }))
const outside = (log: TestLog): TestLog => log.reopen({ catalog: plainCatalog(log.store, log.runtime) })

interface Delayed {
  readonly log: TestLog
  readonly topic: ColdTopic
  /** The next commit is held back, and its sender told that nobody knows; then somebody else's comes. */
  hold(): void
  /** What was held back arrives; at a catalog that numbers snapshots itself, where that is said. */
  arrive(isRenumbered?: boolean): Promise<unknown>
}

async function delayed(): Promise<Delayed> {
  const store = hookedStore()
  const runtime = virtualRuntime({ seed: 9 })
  const inner = plainCatalog(store, runtime)
  let isHeld = false
  let late: TableCommit | undefined
  const catalog: Catalog = {
    ...inner,
    async commitTable(table, commit, call) {
      if (!isHeld) return await inner.commitTable(table, commit, call)
      isHeld = false
      late = commit
      await foreignAppend(outside(log))
      throw unavailable('AWAY', 'No answer.', { outcome: 'unknown' })
    },
  }
  const log: TestLog = testLog({ store, runtime, catalog })
  const topic = await log.attach()
  return {
    log,
    topic,
    hold: () => void (isHeld = true),
    async arrive(isRenumbered = false) {
      const last = (await tableOf(outside(log))).metadata['last-sequence-number']
      const updates = late!.updates.map((update) =>
        isRenumbered && update.action === 'add-snapshot'
          ? { ...update, snapshot: { ...update.snapshot, 'sequence-number': Number(last) + 1 } }
          : update,
      )
      return await inner.commitTable({ namespace: ['shop'], name: 'orders' }, { ...late!, updates })
    },
  }
}

/** The table as it was at the snapshot, what came after it forgotten, and its files deleted. */
async function rollBack(log: TestLog, to: number | bigint): Promise<void> {
  await change(outside(log), [{ action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': to }])
  const { metadata } = await tableOf(outside(log))
  const gone = metadata
    .snapshots!.map((each) => each['snapshot-id'])
    .filter((id) => BigInt(id) > 0n && String(id) !== String(to))
  await change(outside(log), [{ action: 'remove-snapshots', 'snapshot-ids': gone }])
}

describe('a commit that arrives when the table is back at its parent', () => {
  it('is refused by the number that its snapshot takes: others have taken it', async () => {
    const { log, topic, hold, arrive } = await delayed()
    sendTwo(log)
    await tierAll(log, topic)
    const parent = (await tableOf(log)).metadata['current-snapshot-id']!
    const rows = (await allRows(outside(log))).length
    sendTwo(log)
    hold()
    await tierAll(log, topic)
    await checkTable(topic, log)
    await rollBack(log, parent)
    const before = await tableOf(outside(log))
    await expect(arrive()).rejects.toMatchObject({ kind: 'invalid', code: 'SEQUENCE_NUMBER', outcome: 'rejected' })
    expect((await tableOf(outside(log))).metadataLocation).toBe(before.metadataLocation)
    expect((await allRows(outside(log))).length).toBe(rows)
    // What the rollback took is a broken history, as ever, and nothing of it is hidden.
    sendTwo(log)
    await expect(tierAll(log, topic)).rejects.toMatchObject({ code: 'LINEAGE_BROKEN' })
  })

  it('is seen for what it is where a catalog takes it all the same', async () => {
    const { log, topic, hold, arrive } = await delayed()
    sendTwo(log)
    await tierAll(log, topic)
    const parent = (await tableOf(log)).metadata['current-snapshot-id']!
    sendTwo(log)
    hold()
    await tierAll(log, topic)
    await rollBack(log, parent)
    await arrive(true)
    sendTwo(log)
    // Its marker was made for another history: nothing is read from it, nothing is let go, and no commit stands on it.
    const broken = {
      kind: 'conflict',
      code: 'LINEAGE_BROKEN',
      message: expect.stringContaining('Nothing is lost') as string,
    }
    await expect(tierAll(log, topic)).rejects.toMatchObject(broken)
    await expect(settled(log.runtime, log.reopen().attach())).rejects.toMatchObject(broken)
  })
})
