/**
 * A commit a minute for days, while a stranger expires snapshots now and then: the metadata stays small, the marker is found after
 * each, and ledgers that are out of use go. CI has a tenth of the long run.
 */
import { createHash } from 'node:crypto'
import { objectStoreCatalog } from '@moulin/catalog'
import { stringifyJson } from '@moulin/core'
import type { ColdTopic, ObjectStore } from '@moulin/core'
import { memory } from '@moulin/storage'
import { virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { foreignAppend, tableOf } from '../packages/lake/src/foreign.test-support.ts'
import { checkFolder, cleanUpDue, HOUR, keysBelow } from '../packages/lake/src/forgotten/forgotten.test-support.ts'
import { checkTable, testLog, TOPIC_ID, utf8 } from '../packages/lake/src/lake.test-support.ts'
import type { TestLog } from '../packages/lake/src/lake.test-support.ts'
import { expireAsSpark } from './support/foreign-expiry.ts'

const long = process.env['MOULIN_LONG'] === '1'
const timeout = long ? 3_600_000 : 900_000
const MINUTE = 60_000
const DAY = 24 * 60
/** Of the newest version of the metadata. */
const MAX_METADATA_BYTES = 2 * 1024 * 1024
/** Of snapshots that the table keeps, and of an hour until they are collected again. */
const MAX_LEDGERS = 300
/** Of the stranger, in a life, and not at times that the log counts in. */
const VISITS = 5

/** Tells the sizes of metadata versions that are written. */
function measured(inner: ObjectStore, told: (bytes: number) => void): ObjectStore {
  return {
    ...inner,
    put(key, bytes, options) {
      if (/\/v\d+\.metadata\.json$/.test(key)) told(bytes.length)
      return inner.put(key, bytes, options)
    },
  }
}

interface MarkerText {
  readonly snapshot: string
  readonly ledger: string | readonly unknown[]
}

class Life {
  readonly log: TestLog
  readonly partitions: number
  topic!: ColdTopic
  commits = 0
  largestMetadata = 0
  mostLedgers = 0
  visits = 0

  constructor(partitions: number) {
    this.partitions = partitions
    const runtime = virtualRuntime({ seed: 41 })
    const store = measured(memory({ clock: runtime.clock }), (bytes) => {
      this.largestMetadata = Math.max(this.largestMetadata, bytes)
    })
    const catalog = objectStoreCatalog({ store, runtime })
    this.log = testLog({ store, runtime, catalog, info: { partitions, partitionBy: [] } })
  }

  async live(minutes: number): Promise<void> {
    this.topic = await this.log.attach()
    const visitEvery = Math.floor(minutes / VISITS) - 3
    for (let minute = 1; minute <= minutes; minute++) {
      await this.commit()
      if (minute % visitEvery === 0) await this.visit()
    }
  }

  async commit(): Promise<void> {
    const { log, topic } = this
    const partition = (this.commits++ * 7) % this.partitions
    log.hot.send(partition, [{ value: utf8(`${this.commits}`) }])
    await log.runtime.clock.advance(MINUTE)
    const { snapshotId } = await topic.tier({ upTo: log.hot.committedOffsets() })
    const marker = await this.marker()
    expect(marker.snapshot).toBe(String(snapshotId))
    await this.checkLedger(marker, partition)
    await cleanUpDue(log, topic)
    if (this.commits % 60 === 0) {
      this.mostLedgers = Math.max(this.mostLedgers, (await keysBelow(log.store, 'log/ledgers/')).length)
    }
  }

  async marker(): Promise<MarkerText> {
    const { metadata } = await tableOf(this.log)
    return JSON.parse(metadata.properties![`moulin.marker.${TOPIC_ID}`]!) as MarkerText
  }

  /** What the marker says, or the object that it names by its hash, of the partition that the commit was about. */
  async checkLedger({ ledger }: MarkerText, partition: number): Promise<void> {
    let entries = ledger
    if (typeof ledger === 'string') {
      const { bytes } = await this.log.store.get(`log/ledgers/${ledger}`)
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(ledger)
      entries = (JSON.parse(new TextDecoder().decode(bytes)) as { entries: readonly unknown[] }).entries
    }
    expect(entries).toHaveLength(this.partitions)
    const end = String(this.log.hot.committedOffsets()[partition])
    // Incarnation, partition, start, frontier.
    expect((entries as unknown[][])[partition]!.slice(0, 4)).toEqual([1, partition, '0', end])
  }

  /** A stranger appends rows that are nobody's, twice, and expires all snapshots but the newest; every other time only that. */
  async visit(): Promise<void> {
    const { log } = this
    const visit = this.visits++
    const appends = visit % 2 === 0 ? 2 : 0
    for (let append = 0; append < appends; append++) await foreignAppend(log, [{ partition: null, offset: null }])
    const retain = 1 + (visit % 3)
    await expireAsSpark(log, retain)
    const again = await log.reopen().attach()
    expect(again.frontier()).toEqual(log.hot.committedOffsets())
    // Where the oldest that is left names our snapshot as its parent, nothing is missing in between.
    expect(again.lineage()?.verdict).toBe(appends > retain ? 'plausible' : 'intact')
  }
}

const runs = [
  { partitions: 1, days: 10 },
  { partitions: 100, days: 10 },
  { partitions: 10_000, days: 1 },
]

describe.each(runs)(
  'a table of $partitions partitions after $days days of a commit a minute',
  ({ partitions, days }) => {
    it('has small metadata, its marker after each commit, and no ledger out of use', { timeout }, async () => {
      const life = new Life(partitions)
      const { log } = life
      const minutes = (days * DAY) / (long ? 1 : 10)
      await life.live(minutes)
      const { largestMetadata, mostLedgers, visits } = life
      if (long) console.log(stringifyJson({ partitions, minutes, largestMetadata, mostLedgers, visits }))
      expect(visits).toBe(VISITS)
      expect(largestMetadata).toBeLessThanOrEqual(MAX_METADATA_BYTES)
      expect(mostLedgers).toBeLessThanOrEqual(MAX_LEDGERS)

      await log.runtime.clock.advance(3 * HOUR)
      await cleanUpDue(log, life.topic)
      await life.commit()
      const folder = await checkFolder(log)
      expect(folder).toMatchObject({ unnamed: [], missing: [] })
      if (partitions > 100) await checkLedgersNamed(log)
      // Record by record, where there are not too many partitions to go through.
      if (partitions <= 100) await checkTable(life.topic, log)
      else expect(await life.topic.audit()).toMatchObject({ clean: true, gaps: [] })
    })
  },
)

/** The newest hundred stay, and those that a snapshot names. */
async function checkLedgersNamed(log: TestLog): Promise<void> {
  const { metadata } = await tableOf(log)
  const named = new Set((metadata.snapshots ?? []).map(({ summary }) => summary['moulin.ledger']))
  const ledgers = await keysBelow(log.store, 'log/ledgers/')
  expect(ledgers.length).toBeLessThanOrEqual(Math.max(100, named.size) + 1)
}
