import { exhausted, unavailable } from '@moulin/core'
import type { FileScanTask } from '@moulin/iceberg'
import { expect, it } from 'vitest'
import { unreadDeletes } from './unread-deletes.ts'
import type { UnreadDeletesParts } from './unread-deletes.ts'
import type { TableState } from '../table/table-state.ts'

const COUNT = 1000
const types = { _kafka_partition: 'int', _kafka_offset: 'long', _kafka_incarnation: 'int' } as const
const byName = new Map(Object.entries(types).map(([name, type], id) => [name, { id, name, type, required: true }]))
const state = {
  columns: { byName },
  entries: Array.from({ length: COUNT }, (_, partition) => {
    return { partition, incarnation: 1, start: 0n, frontier: 100n, rows: 100n }
  }),
  loaded: { metadata: {} },
} as unknown as TableState
const ranges = state.entries.map(({ partition }) => ({ from: partition === 7 ? 100n : 10n, to: 100n }))

const int = (value: number): Uint8Array => new Uint8Array(Int32Array.of(value).buffer)

/** A file with rows of the partitions and offsets, inclusive. */
function taskOf(name: string, partitions: readonly [number, number], offsets: readonly [bigint, bigint]): FileScanTask {
  const bounds = (side: 0 | 1): ReadonlyMap<number, Uint8Array> =>
    new Map([
      [0, int(partitions[side])],
      [1, new Uint8Array(BigInt64Array.of(offsets[side]).buffer)],
      [2, int(1)],
    ])
  const file = { filePath: name, recordCount: 1n, nullValueCounts: new Map() }
  return { file: { ...file, lowerBounds: bounds(0), upperBounds: bounds(1) } } as unknown as FileScanTask
}

const fault = exhausted('EQUALITY_DELETES', 'Too many.')

function partsOver(tasks: readonly FileScanTask[]): UnreadDeletesParts & { plans: number; asked: string[] } {
  const seen = { plans: 0, asked: [] as string[] }
  const fileLists = {
    async *matching() {
      seen.plans++
      yield* tasks
    },
  }
  const files = {
    async keyOf({ file }: FileScanTask) {
      seen.asked.push(file.filePath)
      if (file.filePath.startsWith('bad')) throw fault
      return file.filePath
    },
  }
  return Object.assign(seen, { fileLists, files }) as unknown as UnreadDeletesParts & typeof seen
}

it('asks each file once, in one plan, however many partitions there are', async () => {
  const parts = partsOver([
    taskOf('bad 1', [3, 5], [50n, 60n]),
    taskOf('good', [0, 999], [0n, 99n]),
    // All its rows are behind one that cannot be read already, or released.
    taskOf('bad 2', [4, 4], [55n, 60n]),
    taskOf('bad 3', [7, 7], [0n, 99n]),
    taskOf('bad 4', [5, 8], [0n, 20n]),
  ])
  const found = await unreadDeletes(parts, state, ranges, {})
  expect(found!.error).toBe(fault)
  const expected = ranges.map(({ to }) => to)
  Object.assign(expected, { 3: 50n, 4: 50n, 5: 10n, 6: 10n, 8: 10n })
  expect(found!.from).toEqual(expected)
  expect(parts.plans).toBe(1)
  expect(parts.asked).toEqual(['bad 1', 'good', 'bad 4'])
})

it('finds nothing where all can be told, and plans nothing where nothing is to be released', async () => {
  const parts = partsOver([taskOf('good', [0, 999], [0n, 99n])])
  expect(await unreadDeletes(parts, state, ranges, {})).toBeUndefined()
  expect(parts.plans).toBe(1)
  const none = ranges.map(({ to }) => ({ from: to, to }))
  expect(await unreadDeletes(parts, state, none, {})).toBeUndefined()
  expect(parts.plans).toBe(1)
})

it('lets nothing go that a plan says nothing of, and throws what is no word of the deletes', async () => {
  const failing = (error: Error): UnreadDeletesParts => {
    const parts = partsOver([])
    return {
      ...parts,
      fileLists: {
        ...parts.fileLists,
        async *matching() {
          throw error
        },
      },
    }
  }
  const found = await unreadDeletes(failing(fault), state, ranges, {})
  expect(found).toEqual({ error: fault, from: ranges.map(({ from }) => from) })
  const away = unavailable('AWAY', 'No answer.')
  await expect(unreadDeletes(failing(away), state, ranges, {})).rejects.toBe(away)
})
