/** Commits that lose their races: what runs before each is sent, and what is left in the store. */
import type { Catalog, ColdTopic, TableCommit } from '@moulin/core'
import { hookedStore, virtualRuntime } from '@moulin/testing'
import { plainCatalog } from '../catalog.test-support.ts'
import { settled, testLog, utf8 } from '../lake.test-support.ts'
import type { TestLog, TestLogOptions } from '../lake.test-support.ts'

/** A log whose commits can be held up: `race` runs before each is sent. */
export function racedLog(options: TestLogOptions = {}): {
  log: TestLog
  races: (() => Promise<void>)[]
  commits: TableCommit[]
} {
  const store = hookedStore()
  const runtime = virtualRuntime({ seed: 5 })
  const inner = plainCatalog(store, runtime)
  const races: (() => Promise<void>)[] = []
  const commits: TableCommit[] = []
  const catalog: Catalog = {
    ...inner,
    async commitTable(table, commit, call) {
      commits.push(commit)
      await races.shift()?.()
      return inner.commitTable(table, commit, call)
    },
  }
  return { log: testLog({ ...options, store, runtime, catalog }), races, commits }
}

export async function keysBelow(log: TestLog, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of log.store.list({ prefix })) keys.push(key)
  return keys
}

export const dataFiles = (log: TestLog): Promise<string[]> => keysBelow(log, 'tables/shop/orders/data/')

export function sendTwo(log: TestLog): void {
  for (const partition of [0, 1]) log.hot.send(partition, [{ value: utf8('x') }, { key: utf8('k'), value: null }])
}

export const tierAll = (log: TestLog, topic: ColdTopic): ReturnType<ColdTopic['tier']> =>
  settled(log.runtime, topic.tier({ upTo: log.hot.committedOffsets() }))

/** The same table, seen through a catalog without races. */
export const outside = (log: TestLog, options: TestLogOptions = {}): TestLog =>
  log.reopen({ catalog: plainCatalog(log.store, log.runtime), ...options })
