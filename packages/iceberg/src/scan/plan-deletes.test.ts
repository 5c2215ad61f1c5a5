/** What may delete rows of each file, and what is known of a table from plan to plan. */
import { eq, gte, isKind, lt } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import type { DeleteFile, ManifestFile } from '../manifests/data-file.ts'
import { deleteFile, writeDeleteManifest } from '../manifests/delete-manifest.test-support.ts'
import { writeManifestList } from '../manifests/manifest-list.ts'
import { writeManifest } from '../manifests/manifest.ts'
import { bindPartitionSpec } from '../partitions/partition-fields.ts'
import type { ManifestRoom } from './kept-manifests.ts'
import { planScan } from './scan-plan.ts'
import type { FileScanTask } from './scan-plan.ts'
import {
  collect,
  column,
  day,
  filesOf,
  oldSchema,
  root,
  schema,
  specs,
  TestStore,
  twoSpecs,
} from './scan-plan.test-support.ts'

/** Room for everything. */
function roomy(): ManifestRoom {
  const shelf = (): ManifestRoom['files'] => {
    const kept = new Map<string, unknown>()
    return { get: (name) => kept.get(name), add: (name, value) => void kept.set(name, value) }
  }
  return { files: shelf(), facts: shelf() }
}

describe('a plan', () => {
  it('gives each file what may delete rows of it, and reads no spent manifest of deletes', async () => {
    const { store, manifests, putList, plan } = twoSpecs()
    const put = (name: string, specId: number, sequenceNumber: bigint, files: readonly DeleteFile[]): ManifestFile => {
      const path = `${root}t/metadata/${name}.avro`
      const spec = bindPartitionSpec(specs[specId]!, [schema, oldSchema])
      const made = writeDeleteManifest({ path, spec, schema, files, sequenceNumber })
      store.objects.set(`t/metadata/${name}.avro`, made.bytes)
      return made.manifest
    }
    const january = { specId: 1, partition: [day('2024-01-15')] }
    const vector = { referencedDataFile: `${root}t/data/jan.parquet`, ...january }
    const named = { specId: 0, partition: ['ams', 'x'] }
    const deletes = [
      put('d0', 1, 7n, [
        deleteFile('equality', 'e', 7n, { specId: 1, partition: [null] }),
        deleteFile('positions', 'p', 2n, january),
        deleteFile('vector', 'v', 6n, vector),
      ]),
      put('d1', 0, 8n, [deleteFile('positions', 'q', 8n, named)]),
      { ...put('d2', 0, 9n, [deleteFile('positions', 'r', 9n, named)]), addedFiles: 0, existingFiles: 0 },
    ]
    store.objects.delete('t/metadata/d2.avro')
    putList('snap', [deletes[0]!, ...manifests, ...deletes.slice(1)])
    const tasks = await plan()
    const found = tasks.map(({ file, deletes: about }) => [
      /([^/]*)\.parquet$/.exec(file.filePath)![1],
      about.map(({ filePath }) => /([^/]*)\.\w+$/.exec(filePath)![1]),
    ])
    expect(found).toEqual([
      ['ams', ['q']],
      ['osl', []],
      ['jan', ['v']],
      ['null', ['e']],
      ['feb', []],
    ])
    expect(tasks[2]!.deletes).toEqual([deleteFile('vector', 'v', 6n, vector)])
    expect(tasks[3]!.deletes[0]).toMatchObject({ content: 'equality', equalityIds: [1], partition: [null] })
  })

  it('never leaves out a manifest of deletes: the rows would come back', async () => {
    const { manifests, putList, names } = twoSpecs()
    const deletes: ManifestFile = { ...manifests[0]!, content: 'deletes', path: `${root}t/metadata/d.avro` }
    putList('snap', [manifests[1]!, deletes])
    await expect(names({ skip: (location) => location.endsWith('/d.avro') })).rejects.toSatisfy(
      (error) => isKind(error, 'not-found', 'TABLE_FILE') && error.message.includes('d.avro'),
    )
  })

  it('with a room reads what is new, and knows what is deleted by now', async () => {
    const made = twoSpecs()
    const { store, manifests, putList, plan, names } = made
    const sizes = new Map<string, number>()
    const { files: shelf, facts } = roomy()
    const add: (typeof shelf)['add'] = (name, value, sizeBytes) => {
      sizes.set(name, sizeBytes)
      shelf.add(name, value, sizeBytes)
    }
    const room = { files: { ...shelf, add }, facts }
    const reads = (): string[] => store.reads.splice(0).map((key) => /([^/]*)\.avro$/.exec(key)![1]!)
    expect(await names({ room })).toEqual(['ams', 'osl', 'jan', 'null', 'feb'])
    expect(reads()).toEqual(['snap', 'm0', 'm1', 'm2'])
    const [name, before] = [...sizes].find(([each]) => each.includes('m0.avro'))!
    expect(await names({ room })).toEqual(['ams', 'osl', 'jan', 'null', 'feb'])
    expect(await names({ room, where: gte('n', 9) })).toEqual(['osl'])
    expect(await names({ room, where: lt('n', 1) })).toEqual(['feb'])
    expect(await names({ room, where: eq('town', 'ams') })).toEqual(['ams', 'jan', 'null', 'feb'])
    expect(reads()).toEqual([])
    // What it has learned of two columns.
    expect(sizes.get(name)).toBe(before + 300)

    // A commit of somebody else's: deletes in what is known, and more files.
    const spec = bindPartitionSpec(specs[1]!, [schema])
    const january = { specId: 1, partition: [day('2024-01-15')] }
    const files = [deleteFile('positions', 'p', 10n, january)]
    const deletes = writeDeleteManifest({ path: `${root}t/metadata/d.avro`, spec, schema, files, sequenceNumber: 10n })
    store.objects.set('t/metadata/d.avro', deletes.bytes)
    store.objects.set('t/metadata/m3.avro', store.objects.get('t/metadata/m2.avro')!)
    putList('snap2', [...manifests, { ...manifests[2]!, path: `${root}t/metadata/m3.avro` }, deletes.manifest])
    const next = { room, metadata: made.at('snap2') }
    const deletesOf = (tasks: readonly FileScanTask[]): number[] => tasks.map(({ deletes: about }) => about.length)
    expect(deletesOf(await plan(next))).toEqual([0, 0, 1, 0, 0, 0])
    expect(reads()).toEqual(['snap2', 'd', 'm3'])
    // As before it is as it was.
    expect(deletesOf(await plan({ room }))).toEqual([0, 0, 0, 0, 0])
    expect(deletesOf(await plan(next))).toEqual([0, 0, 1, 0, 0, 0])
    expect(reads()).toEqual([])

    // And one that deletes other rows instead.
    const others = [deleteFile('positions', 'q', 11n, { specId: 1, partition: [null] })]
    const path = `${root}t/metadata/d2.avro`
    const instead = writeDeleteManifest({ path, spec, schema, files: others, sequenceNumber: 11n })
    store.objects.set('t/metadata/d2.avro', instead.bytes)
    putList('snap3', [...manifests, instead.manifest])
    expect(deletesOf(await plan({ room, metadata: made.at('snap3') }))).toEqual([0, 0, 0, 1, 0])
    expect(reads()).toEqual(['snap3', 'd2'])
  })

  it('with a room that cannot hold the files reads only manifests whose columns may match', async () => {
    const { store, names } = twoSpecs()
    const files = { get: () => undefined, add: () => undefined }
    const room = { ...roomy(), files }
    expect(await names({ room, where: gte('n', 9) })).toEqual(['osl'])
    store.reads.length = 0
    expect(await names({ room, where: gte('n', 9) })).toEqual(['osl'])
    expect(store.reads).toEqual(['t/metadata/snap.avro', 't/metadata/m0.avro'])
    // Of another column nothing is known yet.
    store.reads.length = 0
    expect(await names({ room, where: eq('town', 'nowhere') })).toEqual(['jan', 'null', 'feb'])
    expect(store.reads).toHaveLength(4)
  })

  it('keeps nothing of what could not be read', async () => {
    const { store, names } = twoSpecs()
    const room = roomy()
    const kept = store.objects.get('t/metadata/m1.avro')!
    store.objects.set('t/metadata/m1.avro', kept.subarray(0, kept.length - 1))
    await expect(names({ room })).rejects.toMatchObject({ kind: 'corrupt', code: 'MANIFEST_LENGTH' })
    store.objects.set('t/metadata/m1.avro', kept)
    expect(await names({ room })).toHaveLength(5)
  })

  it('with a room knows what is deleted when the schema of a partition column goes, too', async () => {
    const store = new TestStore()
    const d = column(2, 'd', 'decimal(9, 2)')
    const old = { type: 'struct' as const, 'schema-id': 0, fields: [column(1, 'n', 'int'), d] }
    const now = { type: 'struct' as const, 'schema-id': 1, fields: [column(1, 'n', 'int')] }
    const byDecimal = {
      'spec-id': 0,
      fields: [{ 'source-id': 2, 'field-id': 1000, name: 'd', transform: 'identity' }],
    }
    const spec = bindPartitionSpec(byDecimal, [old])
    const [path, deletesPath, list] = ['m', 'd', 'snap'].map((name) => `${root}t/metadata/${name}.avro`)
    const { file } = (await twoSpecs().plan())[0]!
    const entry = { status: 'added' as const, sequenceNumber: undefined, fileSequenceNumber: undefined }
    const made = writeManifest({
      ...{ path: path!, spec, schema: old, snapshotId: 5n, sequenceNumber: 1n },
      entries: [{ ...entry, snapshotId: 5n, file: { ...file, specId: 0, partition: [1234n] } }],
    })
    const files = [deleteFile('equality', 'e', 2n, { partition: [1234n] })]
    const deletes = writeDeleteManifest({ path: deletesPath!, spec, schema: old, files, sequenceNumber: 2n })
    store.objects.set('t/metadata/m.avro', made.bytes)
    store.objects.set('t/metadata/d.avro', deletes.bytes)
    const scope = { snapshotId: 5n, parentSnapshotId: null, sequenceNumber: 2n }
    store.objects.set(
      't/metadata/snap.avro',
      writeManifestList({ manifests: [made.manifest, deletes.manifest], ...scope }),
    )
    const metadata = {
      ...twoSpecs().at('snap'),
      schemas: [old, now],
      'current-schema-id': 1,
      'partition-specs': [byDecimal, { 'spec-id': 1, fields: [] }],
      'default-spec-id': 1,
      'current-snapshot-id': 5,
      snapshots: [
        {
          'snapshot-id': 5,
          'sequence-number': 2,
          'timestamp-ms': 0,
          'manifest-list': list!,
          summary: { operation: 'append' },
          'schema-id': 1,
        },
      ],
    }
    const room = roomy()
    for (const schemas of [[old, now], [now], [old, now]]) {
      const tasks = await collect(planScan({ tableFiles: filesOf(store), metadata: { ...metadata, schemas }, room }))
      expect(tasks.map(({ deletes: about }) => about.length)).toEqual([1])
    }
  })

  it('keeps of what deletes rows the metrics of the columns that are compared, and no others', async () => {
    const { store, manifests, putList, plan } = twoSpecs()
    const bound = new Map(
      Array.from({ length: 100 }, (_, id) => [id + 1, new TextEncoder().encode('sixteen-bytes-ab')]),
    )
    const counts = new Map([...bound.keys()].map((id) => [id, 0n]))
    const metrics = { lowerBounds: bound, upperBounds: bound, nullValueCounts: counts, nanValueCounts: counts }
    const files = ['a', 'b'].map((name) =>
      deleteFile('equality', name, 9n, { specId: 1, partition: [null], ...metrics }),
    )
    const path = `${root}t/metadata/d.avro`
    const spec = bindPartitionSpec(specs[1]!, [schema])
    const deletes = writeDeleteManifest({ path, spec, schema, files, sequenceNumber: 9n })
    store.objects.set('t/metadata/d.avro', deletes.bytes)
    putList('snap', [...manifests, deletes.manifest])
    const about = (await plan({ room: roomy() })).filter(({ deletes: some }) => some.length > 0)
    expect(about.map(({ deletes: some }) => some.length)).toEqual([2])
    for (const { lowerBounds, upperBounds, nullValueCounts, nanValueCounts } of about[0]!.deletes) {
      expect([lowerBounds, upperBounds]).toEqual([new Map([[1, bound.get(1)]]), new Map([[1, bound.get(1)]])])
      expect([nullValueCounts, nanValueCounts]).toEqual([new Map([[1, 0n]]), new Map([[1, 0n]])])
      // Of the manifest's bytes nothing is kept with them.
      expect(lowerBounds.get(1)!.buffer.byteLength).toBe(16)
    }
  })
})
