import type { Catalog, ColdTopic } from '@moulin/core'
import { hookedStore, virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { plainCatalog } from './catalog.test-support.ts'
import { change, tableOf } from './foreign.test-support.ts'
import { readAll, testLog, utf8 } from './lake.test-support.ts'
import type { TestLog } from './lake.test-support.ts'

interface Slow {
  readonly log: TestLog
  readonly topic: ColdTopic
  /** The next load of the table is answered only when `answer` is called, with what was there when it was asked for. */
  hold(): { readonly asked: Promise<void>; answer(): void }
}

async function slowTable(): Promise<Slow> {
  const store = hookedStore()
  const runtime = virtualRuntime({ seed: 31 })
  const plain = plainCatalog(store, runtime)
  let held: { asked: () => void; until: Promise<void> } | undefined
  const catalog: Catalog = {
    ...plain,
    async loadTable(...args) {
      const mine = held
      held = undefined
      const loaded = await plain.loadTable(...args)
      mine?.asked()
      await mine?.until
      return loaded
    },
  }
  const log = testLog({ store, runtime, catalog })
  const topic = await log.attach()
  sendTo(log, 'first', 3)
  await topic.tier({ upTo: log.hot.committedOffsets() })
  return {
    log,
    topic,
    hold() {
      const asked = Promise.withResolvers<void>()
      const until = Promise.withResolvers<void>()
      held = { asked: asked.resolve, until: until.promise }
      return { asked: asked.promise, answer: until.resolve }
    },
  }
}

function sendTo(log: TestLog, text: string, count: number): void {
  log.hot.send(
    1,
    Array.from({ length: count }, (_, at) => ({ value: utf8(`${text}-${at}`) })),
  )
}

describe('answers of a catalog that come in another order than they were asked for', () => {
  it('leave the newer state, and a slow reader gets it', async () => {
    const { log, topic, hold } = await slowTable()
    const { asked, answer } = hold()
    const reading = readAll(topic, 1, 1n, 5n)
    await asked
    sendTo(log, 'second', 2)
    expect((await topic.tier({ upTo: log.hot.committedOffsets() })).frontier).toEqual([0n, 5n])
    log.hot.release([0n, 5n])
    answer()
    expect((await reading).map(({ offset }) => offset)).toEqual([1n, 2n, 3n, 4n])
    expect(topic.frontier()).toEqual([0n, 5n])
  })

  it('do not make a history broken of what was let go while the question was on its way', async () => {
    const { log, hold } = await slowTable()
    // Of another process: only what the log has let go of tells this one that the table went on.
    const reader = await log.reopen({ access: 'read-only' }).attach()
    const { asked, answer } = hold()
    const loading = reader.refresh()
    await asked
    const writer = await log.reopen().attach()
    sendTo(log, 'third', 4)
    await writer.tier({ upTo: log.hot.committedOffsets() })
    log.hot.release([0n, 7n])
    answer()
    await loading
    expect(reader.frontier()).toEqual([0n, 3n])
    await reader.refresh()
    expect(reader.frontier()).toEqual([0n, 7n])
  })

  it('still show a history that was broken before the question', async () => {
    const { log, topic, hold } = await slowTable()
    sendTo(log, 'fourth', 1)
    await topic.tier({ upTo: log.hot.committedOffsets() })
    log.hot.release([0n, 4n])
    const [first] = (await tableOf(log)).metadata.snapshots!
    const main = { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch' } as const
    await change(log, [{ ...main, 'snapshot-id': first!['snapshot-id'] }])
    const { asked, answer } = hold()
    const loading = topic.refresh()
    await asked
    answer()
    await expect(loading).rejects.toMatchObject({ code: 'LINEAGE_BROKEN', context: { lost: 'partition 1 [0, 4)' } })
  })
})
