/** What a log says of its table when it is asked for a verdict: whoever else is at work, and whatever it was opened for. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { objectStoreCatalog } from '@moulin/catalog'
import { systemRuntime } from '@moulin/core'
import type { Catalog, ColdTier, Files, Log, Timers, Topic } from '@moulin/core'
import { icebergTier } from '@moulin/lake'
import { fileWal, openLog } from '@moulin/log'
import { fileSystem } from '@moulin/storage'
import { memoryTier } from '@moulin/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const system = systemRuntime()
// A reader that sees more only when it is asked to look.
const unwatched: Files = { ...system.files, watch: () => ({ close() {} }) }
const untimed: Timers = { ...system.timers, after: () => ({ cancel() {} }) }
let root: string
/** Run before the reader's catalog answers. */
let before: (() => Promise<void>)[]
const open: Log[] = []
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'moulin-judged-'))
  before = []
})
afterEach(async () => {
  for (const log of open.splice(0)) await log.close()
  await rm(root, { recursive: true })
})

async function openHere(access: 'read-write' | 'read-only' = 'read-write', tier?: ColdTier): Promise<Log> {
  const store = fileSystem({ root, files: system.files })
  const catalog = objectStoreCatalog({ store, prefix: 'tables/', runtime: system, access })
  const runtime = access === 'read-only' ? { ...system, files: unwatched, timers: untimed } : system
  const raced: Catalog = {
    ...catalog,
    async loadTable(...asked) {
      if (access === 'read-only') await before.shift()?.()
      return catalog.loadTable(...asked)
    },
  }
  const log = await openLog({
    store,
    wal: fileWal({ dir: join(root, 'log/wal'), segmentBytes: 64 * 1024 }),
    tier: tier ?? icebergTier({ catalog: raced, threads: 0 }),
    runtime,
    access,
    graceMs: 0,
  })
  open.push(log)
  return log
}

async function sendAndTier(topic: Topic, text: string): Promise<void> {
  const producer = topic.producer({ lingerMs: 0 })
  await producer.send({ value: new TextEncoder().encode(text) })
  await producer.close()
  await topic.tier()
}

describe('topic.judgeTable', () => {
  it('does not take a reader for an older copy of the log while its writer goes on', async () => {
    const topic = (await (await openHere()).ensureTopic('rides')) as Topic
    await sendAndTier(topic, 'one')
    const reader = await openHere('read-only')
    const seen = await reader.topic('rides')
    const more = (): Promise<void> => sendAndTier(topic, 'more')
    before = [more, more, more]
    const { snapshotId, ...verdict } = await seen.judgeTable({ plan: true })
    expect(verdict).toMatchObject({ verdict: 'intact', fault: null, ahead: [], inDoubt: [] })
    // It looked again each time, and what it says is of the table as it is now.
    expect(before).toEqual([])
    expect(snapshotId).toBe(topic.stats().snapshotId)
    // One that never comes to an end is told as it was found.
    before = Array.from({ length: 20 }, () => more)
    expect(await seen.judgeTable()).toMatchObject({ fault: 'log-behind-table', ahead: [{ partition: 0 }] })
    expect(before.length).toBeGreaterThan(10)
  })

  it('ends with its signal', async () => {
    const topic = await (await openHere()).ensureTopic('rides')
    await sendAndTier(topic as Topic, 'one')
    const reader = await openHere('read-only')
    const seen = await reader.topic('rides')
    const stop = new AbortController()
    let goOn = (): void => {}
    before = [() => new Promise((resolve) => (goOn = resolve))]
    const judged = seen.judgeTable({ signal: stop.signal })
    stop.abort()
    await expect(judged).rejects.toMatchObject({ kind: 'aborted' })
    goOn()
  })

  it('is not there without a table, nor with a cold tier that has no verdict', async () => {
    const { judge: _, ...tier } = memoryTier()
    const topic = await (await openHere('read-write', tier)).ensureTopic('rides')
    await expect(topic.judgeTable()).rejects.toMatchObject({ kind: 'unsupported', code: 'NO_VERDICT' })
  })
})
