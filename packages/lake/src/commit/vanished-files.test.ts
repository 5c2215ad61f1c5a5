/** Files of several commits that vanish together. */
import type { FileScanTask } from '@moulin/iceberg'
import { expect, it } from 'vitest'
import { checkFolder } from '../forgotten/forgotten.test-support.ts'
import { checkTable } from '../lake.test-support.ts'
import { checkReads, commit, everything, sendTo, world } from '../look/missing-files.test-support.ts'
import { together } from './vanished-files.ts'
import type { VanishedFiles } from './vanished-files.ts'

interface Lost {
  readonly age: bigint
  readonly from: bigint
  readonly to: bigint
  readonly city?: string
  /** Ages of the deletes by value that may be about it. */
  readonly deletes?: readonly bigint[]
}

function lost({ age, from, to, city = 'Oslo', deletes = [] }: Lost): VanishedFiles {
  const file = { filePath: `file:///t/${age}.parquet`, partition: [city] }
  const task = { file, sequenceNumber: age, deletes: deletes.map((sequenceNumber) => ({ sequenceNumber })) }
  return {
    removed: [task as unknown as FileScanTask],
    sequenceNumber: age,
    ranges: [{ partition: 1, from, to }],
    without: new Map([[1, [{ from, to: from + 1n }]]]),
  }
}

const agesOf = (groups: readonly VanishedFiles[]): bigint[][] =>
  groups.map(({ removed }) => removed.map(({ sequenceNumber }) => sequenceNumber))

it('takes together what lies within the bounds of others, through any number of them', () => {
  const groups = together([
    lost({ age: 1n, from: 0n, to: 5n }),
    lost({ age: 2n, from: 8n, to: 12n }),
    lost({ age: 3n, from: 4n, to: 9n }),
    lost({ age: 4n, from: 12n, to: 20n }),
  ])
  expect(agesOf(groups)).toEqual([[1n, 2n, 3n]])
  expect(groups[0]).toMatchObject({
    sequenceNumber: 3n,
    ranges: [{ partition: 1, from: 0n, to: 12n }],
    without: new Map([
      [
        1,
        [
          { from: 0n, to: 1n },
          { from: 4n, to: 5n },
          { from: 8n, to: 9n },
        ],
      ],
    ]),
  })
})

it('leaves alone what is of another partition of the table', () => {
  expect(together([lost({ age: 1n, from: 0n, to: 5n }), lost({ age: 2n, from: 3n, to: 9n, city: 'Rome' })])).toEqual([])
})

it('makes no row younger than a delete by value that is about it, or was not', () => {
  const pair = (deletes: readonly bigint[]): VanishedFiles[] => [
    lost({ age: 2n, from: 0n, to: 5n, deletes }),
    lost({ age: 5n, from: 3n, to: 9n }),
  ]
  expect(together(pair([5n]))).toEqual([])
  expect(together(pair([3n]))).toEqual([])
  // Newer than both: it goes on to be about both.
  expect(agesOf(together(pair([6n])))).toEqual([[2n, 5n]])
})

it('are put back together where their bounds are about the same places', async () => {
  const made = await world({ info: { formatVersion: 3 } })
  const { log, store, topic } = made
  const gone: string[] = []
  // Partition 0 runs ahead, so each file's bounds have offsets of partition 1 that only the next one holds.
  for (const [first, second] of [
    [6, 2],
    [6, 3],
    [2, 7],
    [5, 5],
  ] as const) {
    sendTo(log, 0, first)
    sendTo(log, 1, second)
    gone.push(...(await commit(made)))
  }
  for (const key of gone.slice(0, 3)) await store.delete(key)
  await topic.releasable({ upTo: everything(topic) })
  expect(topic.missingFiles!()).toHaveLength(3)
  expect(await topic.repair!()).toBe(true)
  expect(topic.missingFiles!()).toEqual([])
  expect(topic.repairDueMs!()).toBeUndefined()
  const said = log.runtime.logs.map(({ message }) => message)
  expect(said.filter((message) => message.includes('cannot be written anew'))).toEqual([])
  expect((await checkFolder(log)).unnamed).toEqual([])
  log.hot.release(await topic.releasable({ upTo: everything(topic) }))
  await checkTable(topic, log)
  await checkReads(topic, log)
})
