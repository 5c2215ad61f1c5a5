import { and, eq, gte, isKind, lt, type PartitionSpec } from '@moulin/core'
import { readAvroFile, writeAvroFile } from '@moulin/format'
import { describe, expect, it } from 'vitest'
import { planScan } from './scan-plan.ts'
import type { ManifestRoom } from './kept-manifests.ts'
import { collect, column, filesOf, oldSchema, root, schema, specs, table, twoSpecs } from './scan-plan.test-support.ts'

describe('planScan', () => {
  it('gives every live file of the current snapshot, in order, with its path and sequence number', async () => {
    const { plan, names } = twoSpecs()
    expect(await names()).toEqual(['ams', 'osl', 'jan', 'null', 'feb'])
    const tasks = await plan()
    expect(tasks.map(({ sequenceNumber }) => sequenceNumber)).toEqual([1n, 1n, 2n, 2n, 3n])
    expect(tasks[0]).toMatchObject({
      file: { filePath: 'file:///lake/t/data/ams.parquet' },
      snapshotId: 5n,
      residual: { op: 'true' },
    })
    expect(tasks[0]!.spec.specId).toBe(0)
    expect(tasks[0]!.file.partition).toEqual(['ams', 'x'])
  })

  it('prunes by partition, each file by its own spec', async () => {
    const { names } = twoSpecs()
    // `town` is `city` of the old spec; the new spec says nothing of it.
    expect(await names({ where: eq('town', 'ams') })).toEqual(['ams', 'jan', 'null', 'feb'])
    const january = and(gte('at', new Date('2024-01-01')), lt('at', new Date('2024-02-01')))
    expect(await names({ where: january })).toEqual(['ams', 'osl', 'jan'])
  })

  it('prunes by bounds, also those written before a promotion', async () => {
    const { names } = twoSpecs()
    expect(await names({ where: gte('n', 9) })).toEqual(['osl'])
    expect(await names({ where: lt('n', 1) })).toEqual(['feb'])
  })

  it('does not read a manifest whose summary excludes it', async () => {
    const { store, names } = twoSpecs()
    await names({ where: gte('at', new Date('2024-02-01')) })
    expect(store.reads).toEqual(['t/metadata/snap.avro', 't/metadata/m0.avro', 't/metadata/m2.avro'])
  })

  it('leaves out what it is told to, without reading it', async () => {
    const { store, names } = twoSpecs()
    store.objects.delete('t/metadata/m1.avro')
    const asked: string[] = []
    const skip = (location: string): boolean => {
      asked.push(location)
      return location.endsWith('/m1.avro')
    }
    expect(await names({ skip })).toEqual(['ams', 'osl', 'feb'])
    expect(asked).toEqual(['snap', 'm0', 'm1', 'm2'].map((name) => `file:///lake/t/metadata/${name}.avro`))
    store.reads.length = 0
    expect(await names({ skip: (location) => location.includes('/snap') })).toEqual([])
    expect(store.reads).toEqual([])
  })

  it('reads a snapshot that is named with its own schema', async () => {
    const { names } = twoSpecs()
    expect(await names({ snapshotId: 4, where: eq('city', 'osl') })).toEqual(['osl', 'jan', 'null', 'feb'])
    await expect(names({ snapshotId: 4n, where: eq('town', 'osl') })).rejects.toSatisfy((error) =>
      isKind(error, 'invalid'),
    )
    await expect(names({ snapshotId: 3 })).rejects.toSatisfy((error) => isKind(error, 'not-found', 'SNAPSHOT'))
  })

  it('of a table without a snapshot is empty, and still checks the predicate', async () => {
    const { store, metadata } = twoSpecs()
    const empty = { ...metadata, 'current-snapshot-id': null, snapshots: [] }
    expect(await collect(planScan({ tableFiles: filesOf(store), metadata: empty }))).toEqual([])
    await expect(
      collect(planScan({ tableFiles: filesOf(store), metadata: empty, where: eq('nothing', 1) })),
    ).rejects.toSatisfy((error) => isKind(error, 'invalid', 'EXPRESSION'))
  })

  const many = () =>
    table(
      Array.from({ length: 20 }, (_, at) => {
        return { specId: 1, files: [{ name: `f${String(at).padStart(2, '0')}`, partition: [at], n: [0, 0] as const }] }
      }),
    )

  it('reads a bounded number of manifests at once, and keeps their order', async () => {
    const { store, names } = many()
    const found = await names({ maxInFlight: 3 })
    expect(found).toEqual(found.toSorted())
    expect(found).toHaveLength(20)
    expect(store.mostInFlight).toBe(3)
  })

  it('stops reading when the loop is left', async () => {
    const { store, metadata } = many()
    for await (const task of planScan({ tableFiles: filesOf(store), metadata, maxInFlight: 3 })) {
      expect(task.file.filePath).toBe('file:///lake/t/data/f00.parquet')
      break
    }
    expect(store.reads).toHaveLength(1 + 3)
    expect(store.aborted).toBeGreaterThan(0)
  })

  it('obeys its signal', async () => {
    const { store, names } = many()
    await expect(names({ signal: AbortSignal.abort() })).rejects.toSatisfy((error) => isKind(error, 'aborted'))
    expect(store.reads).toEqual([])
  })

  it('says which object is gone', async () => {
    const { store, names } = many()
    store.objects.delete('t/metadata/m7.avro')
    await expect(names()).rejects.toSatisfy(
      (error) => isKind(error, 'not-found', 'TABLE_FILE') && error.message.includes('m7.avro'),
    )
  })

  it('never reads outside of the store', async () => {
    const { manifests, putList, names } = twoSpecs()
    putList('snap', [{ ...manifests[0]!, path: 'file:///etc/m.avro' }])
    await expect(names()).rejects.toSatisfy((error) => isKind(error, 'invalid', 'OUTSIDE_STORE'))
  })

  it('counts row ids on from the one of the manifest', async () => {
    const { manifests, store, putList, plan } = twoSpecs()
    putList('snap', manifests)
    const { schema: avro, records } = readAvroFile(store.objects.get('t/metadata/snap.avro')!)
    const fields = [...(avro as { fields: object[] }).fields, { name: 'id', type: ['null', 'long'], 'field-id': 520 }]
    const numbered = records.map((record, at) => ({ ...record, id: [100n, null, 300n][at] }))
    store.objects.set(
      't/metadata/snap.avro',
      writeAvroFile({ schema: { ...(avro as object), fields } as never, records: numbered }),
    )
    const tasks = await plan()
    expect(tasks.map(({ file }) => file.firstRowId)).toEqual([100n, 110n, undefined, undefined, 300n])
    const pruned = await plan({ where: gte('n', 9) })
    expect(pruned.map(({ file }) => file.firstRowId)).toEqual([110n])
  })

  it('reads the manifests that a snapshot of format version 1 lists itself', async () => {
    const { metadata, store, names } = twoSpecs()
    const manifests = [0, 1, 2].map((at) => `${root}t/metadata/m${at}.avro`)
    const snapshots = metadata.snapshots!.map((one) => ({ ...one, 'manifest-list': '', manifests }))
    const old = { ...metadata, 'format-version': 1, snapshots }
    expect(await names({ metadata: old })).toEqual(['ams', 'osl', 'jan', 'null', 'feb'])
    expect(await names({ metadata: old, where: gte('n', 9) })).toEqual(['osl'])
    const shelf = (kept = new Map<string, unknown>()): ManifestRoom['files'] => {
      return { get: (name) => kept.get(name), add: (name, value) => void kept.set(name, value) }
    }
    const room = { files: shelf(), facts: shelf() }
    await names({ metadata: old, room })
    store.reads.length = 0
    expect(await names({ metadata: old, room })).toEqual(['ams', 'osl', 'jan', 'null', 'feb'])
    expect(store.reads).toEqual([])
    store.objects.delete('t/metadata/m1.avro')
    await expect(names({ metadata: old })).rejects.toSatisfy((error) => isKind(error, 'not-found', 'TABLE_FILE'))
    expect(await names({ metadata: old, skip: (location) => location.endsWith('m1.avro') })).toEqual([
      'ams',
      'osl',
      'feb',
    ])
  })

  it('prunes by nothing that it does not understand of a spec, and calls one that is not there corrupt', async () => {
    const { metadata, names } = twoSpecs()
    const february = { where: gte('at', new Date('2024-02-01')) }
    expect(await names(february)).toEqual(['ams', 'osl', 'feb'])
    const strange: readonly object[] = [
      { 'source-id': 4, transform: 'zorder' },
      { 'source-ids': [1, 4], transform: 'bucket[4]' },
      { 'source-id': 4, transform: 'truncate[0]' },
      { 'source-id': 9, transform: 'day' },
      { 'source-id': 5, transform: 'day' },
    ]
    const ofOthers = { ...schema, fields: [...schema.fields, column(5, 'other', 'variant')] }
    const planned = (partitionSpecs: PartitionSpec[]) =>
      names({
        ...february,
        metadata: { ...metadata, schemas: [oldSchema, ofOthers], 'partition-specs': partitionSpecs },
      })
    for (const field of strange) {
      const spec = {
        'spec-id': 1,
        fields: [{ ...field, 'field-id': 1002, name: 'z' } as PartitionSpec['fields'][number]],
      }
      expect(await planned([specs[0]!, spec])).toEqual(['ams', 'osl', 'jan', 'null', 'feb'])
    }
    await expect(planned([specs[0]!])).rejects.toSatisfy((error) => isKind(error, 'corrupt', 'PARTITION_SPEC'))
  })
})
