/** What is deleted in files by position, where others have written to the table. All of the log beside it: test/masked-rows.test.ts. */
import { eq, tableFiles } from '@moulin/core'
import type { ColdTopic } from '@moulin/core'
import { planScan, rowMask } from '@moulin/iceberg'
import type { DeletesOf } from '@moulin/iceberg'
import { hookedStore } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { allRows, commitFiles, foreignAppend, foreignFile, tableOf, withNumbers } from '../foreign.test-support.ts'
import { readAll, recordsOf, settled, testLog, utf8 } from '../lake.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'

const ROWS = 6
/** No checksum covers it, so a test can tell copies apart that are the same record. */
const TAG = '_kafka_key_schema_id'

interface Tiered {
  readonly log: TestLog
  readonly topic: ColdTopic
  /** Deletes these rows of files whose path has the word, and no others, from the next snapshot on. */
  delete(word: string, rows: readonly number[]): Promise<void>
}

async function tiered(): Promise<Tiered> {
  let deleted: { readonly word: string; readonly rows: readonly number[] } | undefined
  const deletesOf: DeletesOf = ({ listed }) => {
    const isMeant = deleted !== undefined && listed.file.filePath.includes(deleted.word)
    return Promise.resolve(isMeant ? rowMask(deleted!.rows.join(), deleted!.rows) : undefined)
  }
  const log = testLog({ info: { partitions: 1, partitionBy: [] }, deletesOf })
  const topic = await log.attach()
  log.hot.send(
    0,
    Array.from({ length: ROWS }, (_, at) => ({ value: utf8(`v${at}`) })),
  )
  await topic.tier({ upTo: log.hot.committedOffsets() })
  return {
    log,
    topic,
    async delete(word, rows) {
      deleted = { word, rows }
      await foreignAppend(log)
    },
  }
}

/** Appends a copy of all rows, tagged. */
async function copy(log: TestLog, tag: number): Promise<void> {
  const rows = await allRows(log)
  const some = withNumbers(rows, TAG, new Array<number>(rows.length).fill(tag))
  const table = await tableOf(log)
  await commitFiles(log, table, [await foreignFile(log, table, some, 'copy')], log.runtime.random.uuid())
}

/** The tag of each row, by offset, as scans, reads and lookups give it. */
async function tags(log: TestLog, topic: ColdTopic): Promise<(readonly [offset: number, tag: number])[]> {
  const rows = await topic.scan({ columns: ['_kafka_offset', TAG] }).toArray()
  const scanned = rows.map((row) => [Number(row['_kafka_offset']), Number(row[TAG] ?? 0)] as const)
  const sorted = scanned.toSorted((a, b) => a[0] - b[0])
  const of = async (runs: ReturnType<ColdTopic['read']>): Promise<(readonly [number, number])[]> => {
    const found: (readonly [number, number])[] = []
    for await (const run of runs) {
      const { keySchemaIds = 0 } = run
      for (const [at, { offset }] of recordsOf(run).entries()) {
        found.push([Number(offset), typeof keySchemaIds === 'number' ? keySchemaIds : keySchemaIds[at]!])
      }
    }
    return found
  }
  expect(await of(topic.read({ partition: 0, from: 0n, to: BigInt(ROWS) }))).toEqual(sorted)
  const positions = Array.from({ length: ROWS }, (_, at) => ({ partition: 0, offset: BigInt(at) }))
  expect(await of(topic.readAt(positions))).toEqual(sorted)
  expect(await topic.scan({}).count()).toBe(sorted.length)
  for (const tag of [0, 7]) {
    const its = sorted.filter((row) => row[1] === tag)
    expect(await topic.scan({ where: eq(TAG, tag) }).count()).toBe(its.length)
  }
  const { partitions, deep } = await topic.audit({ deep: true })
  const total = (await allRows(log)).length
  expect(partitions[0]).toMatchObject({ rows: BigInt(sorted.length), deleted: BigInt(ROWS - sorted.length) })
  expect(deep!.doubledRows).toBe(partitions[0]!.unseen)
  expect(partitions[0]!.unseen).toBeLessThanOrEqual(BigInt(total - sorted.length))
  return sorted
}

describe('a row that is deleted', () => {
  it('leaves its place to the copy of another', async () => {
    const { log, topic, ...world } = await tiered()
    await copy(log, 7)
    expect(await tags(log, topic)).toEqual([0, 1, 2, 3, 4, 5].map((offset) => [offset, 0]))
    // The copy is named `foreign-…`; files of the log's own are not.
    const own = (await topic.audit()).partitions[0]!
    expect(own.unseen).toBe(BigInt(ROWS))
    const { metadata } = await tableOf(log)
    await world.delete(ownCommit(metadata.properties), [1, 4])
    expect(await tags(log, topic)).toEqual(
      [0, 1, 2, 3, 4, 5].map((offset) => [offset, [1, 4].includes(offset) ? 7 : 0]),
    )
    expect((await topic.audit()).partitions[0]!.unseen).toBe(BigInt(ROWS - 2))
    // And the other way round: what was chosen before is not remembered.
    await world.delete('/data/foreign-', [0, 1])
    expect(await tags(log, topic)).toEqual([0, 1, 2, 3, 4, 5].map((offset) => [offset, 0]))
    expect((await topic.audit()).partitions[0]!.unseen).toBe(BigInt(ROWS - 2))
    await world.delete('/data/', [2])
    expect(await tags(log, topic)).toEqual([0, 1, 3, 4, 5].map((offset) => [offset, 0]))
  })

  it('does not stand above the frontier, until it is there again', async () => {
    const { log, topic, ...world } = await tiered()
    await world.delete('/data/foreign-', [0])
    await foreignAppend(log, [
      { partition: 0, offset: BigInt(ROWS + 3) },
      { partition: 0, offset: 2n },
    ])
    log.hot.send(0, [{ value: utf8('more') }])
    await topic.tier({ upTo: log.hot.committedOffsets() })
    expect(topic.frontier()).toEqual([BigInt(ROWS + 1)])
    expect(await readAll(topic, 0)).toHaveLength(ROWS + 1)
    await world.delete('/data/foreign-', [1])
    log.hot.send(0, [{ value: utf8('still more') }])
    await expect(settled(log.runtime, topic.tier({ upTo: log.hot.committedOffsets() }))).rejects.toMatchObject({
      code: 'LINEAGE_BROKEN',
      message: expect.stringMatching(/offset 9, at or above/),
    })
    await world.delete('/data/foreign-', [0])
    await topic.tier({ upTo: log.hot.committedOffsets() })
    expect(topic.frontier()).toEqual([BigInt(ROWS + 2)])
  })

  it('is no row of a file that is listed twice, or of one that has none left', async () => {
    const { log, topic, ...world } = await tiered()
    await world.delete('/data/', [0, 1, 2, 3, 4, 5])
    expect(await tags(log, topic)).toEqual([])
    await world.delete('/data/', [3])
    expect(await tags(log, topic)).toHaveLength(ROWS - 1)
    const table = await tableOf(log)
    for await (const { file } of planScan({ tableFiles: tableFiles(log.store), metadata: table.metadata })) {
      await commitFiles(log, table, [file], log.runtime.random.uuid())
    }
    expect(await tags(log, topic)).toEqual([0, 1, 2, 4, 5].map((offset) => [offset, 0]))
    expect((await topic.audit()).partitions[0]!.unseen).toBe(BigInt(ROWS - 1))
  })
})

describe('a data file', () => {
  it('gives its rows once, by however many names it is listed', async () => {
    const store = { ...hookedStore(), aliases: ['other://lake/'] }
    const log = testLog({ store, info: { partitions: 1, partitionBy: [] } })
    const topic = await log.attach()
    log.hot.send(
      0,
      Array.from({ length: ROWS }, (_, at) => ({ value: utf8(`v${at}`) })),
    )
    await topic.tier({ upTo: log.hot.committedOffsets() })
    const table = await tableOf(log)
    for await (const { file } of planScan({ tableFiles: tableFiles(store), metadata: table.metadata })) {
      const filePath = file.filePath.replace(store.root, 'other://lake/')
      await commitFiles(log, table, [{ ...file, filePath }], log.runtime.random.uuid())
    }
    await topic.refresh()
    expect(await tags(log, topic)).toEqual([0, 1, 2, 3, 4, 5].map((offset) => [offset, 0]))
    // Listed beside a stranger's, too: then the table is no longer the log's alone.
    await copy(log, 7)
    await topic.refresh()
    expect(await tags(log, topic)).toHaveLength(ROWS)
  })
})

/** What files of the log's last commit have in their names. */
function ownCommit(properties: Readonly<Record<string, string>> | undefined): string {
  const marker = Object.entries(properties ?? {}).find(([name]) => name.startsWith('moulin.'))!
  return `/data/${(JSON.parse(marker[1]) as { commit: string }).commit}-`
}
