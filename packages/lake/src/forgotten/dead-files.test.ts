/** Of what forgotten snapshots named: what else may name it, and what cannot be read. */
import { Int32Builder } from '@moulin/core'
import type { ObjectStore, TableUpdate } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import {
  allRows,
  change,
  commitFiles,
  foreignDeletes,
  foreignFile,
  replaceRows,
  tableOf,
} from '../foreign.test-support.ts'
import {
  afterTwoHours,
  checkFolder,
  clean,
  cleanUpDue,
  commit,
  HOUR,
  keysBelow,
  lostTooEarly,
  records,
  tableAfter,
  untilForgotten,
} from './forgotten.test-support.ts'
import { checkTable, utf8 } from '../lake.test-support.ts'

/** The same store as it would be with other bytes of one object. */
function healed(store: ObjectStore, key: string, bytes: Uint8Array): ObjectStore {
  return {
    ...store,
    get: async (asked, options) => {
      const object = await store.get(asked, options)
      return asked === key ? { ...object, bytes } : object
    },
  }
}

describe('what an expired snapshot has left', () => {
  it('stays while a snapshot that was forgotten later names it, whatever order they have', async () => {
    const { log, topic } = await tableAfter(4)
    const { metadata } = await tableOf(log)
    const oldest = metadata.snapshots![1]!['snapshot-id']
    const tag: TableUpdate = { action: 'set-snapshot-ref', 'ref-name': 'kept', type: 'tag', 'snapshot-id': oldest }
    await change(log, [tag])
    for (let n = 0; n < 7; n++) await commit(log, topic)
    // Nothing live names the files before.
    await replaceRows(log, [await allRows(log)])
    await untilForgotten(log, topic)
    const [first] = await records(log)
    for (let n = 0; (await records(log)).length < 2; n++) {
      await log.runtime.clock.advance(HOUR / 8)
      await commit(log, topic)
    }
    await change(log, [{ action: 'remove-snapshot-ref', 'ref-name': 'kept' }])
    const isThere = async (): Promise<boolean> =>
      (await tableOf(log)).metadata.snapshots!.some((snapshot) => snapshot['snapshot-id'] === oldest)
    while (await isThere()) await commit(log, topic)
    let left = await records(log)
    expect(left.length).toBeGreaterThan(2)
    expect(left).toContain(first)
    const { length } = left
    while (left.length > 0) {
      await log.runtime.clock.advance(60_000)
      await cleanUpDue(log, topic)
      if (left.length === length) expect(await lostTooEarly(log)).toEqual([])
      left = await records(log)
      expect(await lostTooEarly(log), `${left.length} records`).toEqual([])
    }
    expect(await checkFolder(log)).toEqual(clean)
    await checkTable(topic, log)
  })

  it('stays where the table has it from another snapshot that added it again', async () => {
    const { log, topic } = await tableAfter(3)
    const table = await tableOf(log)
    const id = log.runtime.random.uuid()
    const partitions = new Int32Builder()
    partitions.append(7)
    const rows = { length: 1, columns: [{ name: '_kafka_partition', column: partitions.finish() }] }
    const file = await foreignFile(log, table, rows, id)
    // As a snapshot that is written for an audit and picked for main afterwards.
    await commitFiles(log, table, [file], id, 'aside')
    await commit(log, topic)
    await commitFiles(log, await tableOf(log), [file], log.runtime.random.uuid())
    const count = (await tableOf(log)).metadata.snapshots!.length
    expect(count).toBe(6)
    const aside = (await tableOf(log)).metadata.snapshots![3]!
    while ((await tableOf(log)).metadata.snapshots!.some((one) => one['snapshot-id'] === aside['snapshot-id']))
      await commit(log, topic)
    await afterTwoHours(log, topic)
    expect(await checkFolder(log)).toEqual(clean)
    expect(await keysBelow(log.store, file.filePath.replace(log.store.root, ''))).toHaveLength(1)
  })

  it('goes with delete files of others, unless something live names them', async () => {
    const { log, topic } = await tableAfter(2)
    const rows = await allRows(log)
    const once = await foreignDeletes(log, ['once', 'twice'])
    const twice = await foreignDeletes(log, ['twice'])
    await change(log, [
      { action: 'set-snapshot-ref', 'ref-name': 'kept', type: 'tag', 'snapshot-id': twice.snapshotId },
    ])
    await replaceRows(log, [rows])
    await untilForgotten(log, topic)
    for (let n = 0; n < 10; n++) await commit(log, topic)
    await afterTwoHours(log, topic)
    const deletes = (): Promise<string[]> => keysBelow(log.store, 'tables/shop/orders/data/deletes-')
    expect(await deletes()).toEqual(['tables/shop/orders/data/deletes-twice.parquet'])
    expect(await keysBelow(log.store, once.manifest)).toEqual([])
    expect(await checkFolder(log)).toEqual(clean)
    await change(log, [{ action: 'remove-snapshot-ref', 'ref-name': 'kept' }])
    for (let n = 0; n < 16; n++) await commit(log, topic)
    await afterTwoHours(log, topic)
    expect(await deletes()).toEqual([])
    expect(await checkFolder(log)).toEqual(clean)
    await checkTable(topic, log)
  })

  it.each(['manifest', 'manifest list'])('keeps its record while a %s cannot be read, and says so', async (what) => {
    const { log: writer, topic: before } = await tableAfter(9)
    await replaceRows(writer, [await allRows(writer)])
    const candidates = async (): Promise<string[]> =>
      (await checkFolder(writer)).unreached.filter((one) =>
        what === 'manifest' ? one.endsWith('-m0.avro') : one.includes('/snap-'),
      )
    while ((await candidates()).length === 0) await commit(writer, before)
    await commit(writer, before)
    const [key] = await candidates()
    const { bytes } = await writer.store.get(key!)
    await writer.store.put(key!, new Uint8Array(bytes.length))
    // Another process, which knows no list by heart.
    const log = writer.reopen()
    const topic = await log.attach()
    const told = { kind: 'corrupt', code: 'FORGOTTEN_FILES', message: expect.stringContaining(key!) as string }
    const old = await records(log)
    await log.runtime.clock.advance(HOUR)
    while ((await records(log)).length === old.length) await commit(log, topic)
    await log.runtime.clock.advance(HOUR)
    await expect(cleanUpDue(log, topic)).rejects.toMatchObject(told)
    // It keeps nothing else.
    await log.runtime.clock.advance(HOUR)
    await expect(cleanUpDue(log, topic)).rejects.toMatchObject(told)
    expect(old).toEqual(expect.arrayContaining(await records(log)))
    expect(await keysBelow(log.store, key!)).toHaveLength(1)
    const { unreached, unnamed, missing } = await checkFolder({ ...log, store: healed(log.store, key!, bytes) })
    expect({ unnamed, missing }).toEqual({ unnamed: [], missing: [] })
    expect(unreached).toContain(key)
    expect((await records(log)).length).toBeGreaterThan(0)
    // As late as a new record: nothing is asked for meanwhile.
    expect(topic.cleanUpDueMs!()).toBe(log.runtime.clock.now() + HOUR)
    await expect(afterTwoHours(log, topic)).rejects.toMatchObject(told)
    expect(topic.cleanUpDueMs!()).toBe(log.runtime.clock.now() + 2 * HOUR)
    await log.store.put(key!, bytes)
    await afterTwoHours(log, topic)
    expect(await checkFolder(log)).toEqual(clean)
    await checkTable(topic, log)
  })

  it('waits where another record cannot be read, which may name it too', async () => {
    const { log, topic } = await tableAfter(9)
    await replaceRows(log, [await allRows(log)])
    while ((await records(log)).length < 2) await commit(log, topic)
    const [key] = await records(log)
    await log.store.put(key!, utf8('{'))
    await log.runtime.clock.advance(2 * HOUR)
    const next = log.reopen()
    const again = await next.attach()
    const before = await keysBelow(next.store, 'tables/')
    await cleanUpDue(next, again)
    expect(await keysBelow(next.store, 'tables/')).toEqual(before)
    expect(again.cleanUpDueMs!()).toBe(next.runtime.clock.now() + 2 * HOUR)
    await afterTwoHours(next, again)
    expect(await records(next)).toEqual([key])
    expect((await keysBelow(next.store, 'tables/')).length).toBeLessThan(before.length)
  })
})
