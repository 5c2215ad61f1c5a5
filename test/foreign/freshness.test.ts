/**
 * How fresh engines see a log through its server, each in a process of its own: whenever one asks, it has of each partition the first so many
 * records, and at least those that this process, another than the log's, had recorded as durable `maxStalenessMs` before.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { stringifyJson } from '@moulin/core'
import { fileSystem, objectStoreCatalog } from 'moulin'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { duckdb, spark } from './engines.ts'
import { FreshWriter, poll, pollWhile, pyicebergPoller, sqlPoller } from './freshness.ts'
import type { Answer, Poller } from './freshness.ts'

const isLong = process.env['MOULIN_LONG'] === '1'
const RATE = 20_000
const SECONDS = isLong ? 120 : 12
const IDLE_MS = isLong ? 60_000 : 2_000
// DuckDB picks a snapshot by the time at which it began, so it has to have loaded the table by then, on a busy machine too.
const STALENESS_MS = isLong ? 5_000 : 3_000
/** What metadata of a table may take that is committed to every few seconds. */
const MAX_METADATA_BYTES = 2 * 1024 * 1024

let root: string
let writer: FreshWriter
const pollers: Poller[] = []
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'moulin-freshness-'))
  writer = new FreshWriter(root, { maxStalenessMs: STALENESS_MS, rate: RATE, seconds: SECONDS })
})
afterEach(async () => {
  for (const poller of pollers.splice(0)) await poller.stop()
  await writer.kill()
  await rm(root, { recursive: true })
})

async function tableNow() {
  const catalog = objectStoreCatalog({ store: fileSystem({ root }), access: 'read-only' })
  const { metadata } = await catalog.loadTable({ namespace: ['shop'], name: 'ticks' })
  const names = await readdir(join(root, 'tables/shop/ticks'), { recursive: true })
  return {
    commits: Number(metadata['last-sequence-number']),
    snapshots: metadata.snapshots!.length,
    metadataBytes: stringifyJson(metadata).length,
    versions: names.filter((name) => name.endsWith('.metadata.json')).length,
    manifests: names.filter((name) => name.endsWith('.avro')).length,
    dataFiles: names.filter((name) => name.endsWith('.parquet')).length,
  }
}

/** How many answers, how stale, how slow: median, nearly the worst, and the worst. */
function figuresOf(answers: readonly Answer[]): object {
  const spread = (values: readonly number[]): number[] => {
    const sorted = values.toSorted((a, b) => a - b)
    return [0.5, 0.95, 1].map((part) => Math.round(sorted[Math.ceil(part * sorted.length) - 1] ?? NaN))
  }
  const by = Map.groupBy(answers, (answer) => answer.by)
  return Object.fromEntries(
    [...by].map(([name, all]) => [
      name,
      {
        answers: all.length,
        staleMs: spread(all.map((one) => one.staleMs)),
        tookMs: spread(all.map((one) => one.tookMs)),
      },
    ]),
  )
}

describe('engines that ask a log through its server', { timeout: 900_000 }, () => {
  it('have what was acked in time while 20 000 records a second come, and cost nothing when none come', async () => {
    const url = await writer.url()
    pollers.push(sqlPoller('DuckDB', await duckdb(url)), await pyicebergPoller(url))
    if (isLong) {
      pollers.push(sqlPoller('Spark', await spark({ version: '4.1.4', iceberg: '1.11.0', uri: url, isBrief: true })))
    }
    // What each has to load first is no part of it.
    for (const poller of pollers) expect(await poller.ends()).toEqual([])

    let sentMs = 0
    const sending = writer.send().then((ms) => (sentMs = ms))
    const answers = await pollWhile(sending, pollers, writer, STALENESS_MS)
    const { tieredLoads, staleLoads } = await writer.stats()
    const busy = await tableNow()
    console.log({ sentMs: Math.round(sentMs), ...figuresOf(answers), tieredLoads, staleLoads, ...busy })
    const recorded = [...writer.ackedBy(performance.now()).values()]
    expect(recorded.reduce((all, one) => all + one, 0)).toBe(RATE * SECONDS)
    expect(answers.flatMap(({ wrong }) => wrong)).toEqual([])
    expect(staleLoads).toBe(0)
    for (const { name } of pollers) expect(answers.filter(({ by }) => by === name).length, name).toBeGreaterThan(1)
    expect(tieredLoads).toBeGreaterThan(0)
    // A commit has all that waits, so the next one is due no earlier than `maxStalenessMs` later.
    expect(tieredLoads).toBeLessThanOrEqual(Math.ceil(sentMs / STALENESS_MS) + 1)
    expect(busy.metadataBytes).toBeLessThan(MAX_METADATA_BYTES)

    // Then everything is there, once the last records are old enough, and nobody commits any more.
    await setTimeout(STALENESS_MS + 500)
    for (const poller of pollers) {
      const last = await poll(poller, writer, 0)
      expect(last).toMatchObject({ wrong: [], staleMs: 0 })
    }
    const [before, { tieredLoads: tieredBefore }] = [await tableNow(), await writer.stats()]
    const idle = await pollWhile(setTimeout(IDLE_MS), pollers, writer, 0)
    expect(idle.flatMap(({ wrong }) => wrong)).toEqual([])
    expect(await tableNow()).toEqual(before)
    expect((await writer.stats()).tieredLoads).toBe(tieredBefore)
    expect(await writer.stop()).toBe(true)
  })
})
