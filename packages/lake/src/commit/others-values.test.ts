import { currentSchema } from '@moulin/iceberg'
import { expect, it } from 'vitest'
import { allRows, change, numbersOf, tableOf } from '../foreign.test-support.ts'
import { commit, sendTo, world } from '../look/missing-files.test-support.ts'

it('a repair leaves the values in columns of others as they were, or the file missing', async () => {
  const made = await world({ info: { formatVersion: 3, partitions: 1 } })
  const { log, store, topic } = made
  const id = 7000
  const alter = async (write: number): Promise<void> => {
    const { metadata } = await tableOf(log)
    const fields = currentSchema(metadata).fields.filter((field) => field.id !== id)
    const tax = { id, name: 'tax', required: false, type: 'int', 'initial-default': 5, 'write-default': write }
    await change(log, [
      { action: 'add-schema', schema: { type: 'struct', fields: [...fields, tax] }, 'last-column-id': id },
      { action: 'set-current-schema', 'schema-id': -1 },
    ])
  }
  const values = async (): Promise<readonly unknown[]> => [...numbersOf(await allRows(log), 'tax')].sort()
  sendTo(log, 0, 3)
  const [first] = await commit(made)
  await alter(5)
  sendTo(log, 0, 2)
  const [second] = await commit(made)
  await alter(7)
  const before = await values()
  expect(before).toEqual([5, 5, 5, 5, 5])
  // Written before there was the column.
  await store.delete(first!)
  await topic.releasable({ upTo: topic.frontier() })
  expect(await topic.repair!()).toBe(true)
  expect(await values()).toEqual(before)
  // Written with it, when it had another write default.
  const { bytes } = await store.get(second!)
  await store.delete(second!)
  await topic.releasable({ upTo: topic.frontier() })
  expect(await topic.repair!()).toBe(false)
  await store.put(second!, bytes)
  expect(await values()).toEqual(before)
})
