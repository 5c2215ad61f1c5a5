import {
  and,
  defineObjectStore,
  eq,
  gte,
  isKind,
  lt,
  notFound,
  tableFiles,
  type IcebergSchema,
  type PartitionSpec,
  type Snapshot,
  type StoredObject,
  type TableFiles,
  type TableMetadata,
} from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { readAvroFile, writeAvroFile } from '@moulin/format'
import { deleteFile, writeDeleteManifest } from '../manifests/delete-manifest.test-support.ts'
import type { DataFile, DeleteFile, ManifestEntry, ManifestFile } from '../manifests/data-file.ts'
import type { PartitionValue } from '../values/datum.ts'
import { writeManifest } from '../manifests/manifest.ts'
import { writeManifestList } from '../manifests/manifest-list.ts'
import { bindPartitionSpec } from '../partitions/partition-fields.ts'
import { planScan, type FileScanTask, type PlanScanOptions } from './scan-plan.ts'
import { encodeSingleValue } from '../values/single-value.ts'

const column = (id: number, name: string, type: string) => ({ id, name, required: false, type })
const oldSchema: IcebergSchema = {
  type: 'struct',
  'schema-id': 0,
  fields: [column(1, 'n', 'int'), column(2, 'city', 'string'), column(3, 'gone', 'string')],
}
/** `n` was promoted, `city` renamed, `gone` dropped. */
const schema: IcebergSchema = {
  type: 'struct',
  'schema-id': 1,
  fields: [column(1, 'n', 'long'), column(2, 'town', 'string'), column(4, 'at', 'timestamptz')],
}
const specs: PartitionSpec[] = [
  {
    'spec-id': 0,
    fields: [
      { 'source-id': 2, 'field-id': 1000, name: 'city', transform: 'identity' },
      { 'source-id': 3, 'field-id': 1001, name: 'gone', transform: 'identity' },
    ],
  },
  { 'spec-id': 1, fields: [{ 'source-id': 4, 'field-id': 1002, name: 'at_day', transform: 'day' }] },
]
const root = 'file:///lake/'

/** A store of objects in a map that counts what is read, and lets reads wait. */
class TestStore {
  readonly name = 'test'
  readonly root = root
  readonly objects = new Map<string, Uint8Array>()
  readonly reads: string[] = []
  inFlight = 0
  mostInFlight = 0
  aborted = 0

  async get(key: string, options: { signal?: AbortSignal } = {}): Promise<StoredObject> {
    this.reads.push(key)
    this.inFlight++
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight)
    options.signal?.addEventListener('abort', () => this.aborted++)
    await new Promise((resolve) => setImmediate(resolve))
    this.inFlight--
    const bytes = this.objects.get(key)
    if (bytes === undefined) throw notFound('OBJECT', `${key} is missing.`)
    return { key, bytes, size: bytes.length, etag: '', modifiedMs: 0 }
  }
}

/** Of which a plan only reads. */
function filesOf(store: TestStore): TableFiles {
  const unused = (): never => {
    throw new TypeError('not part of this test')
  }
  return tableFiles(
    defineObjectStore({
      name: store.name,
      root: store.root,
      capabilities: { createIfAbsent: true, compareAndSwap: false, multipart: false },
      durability: 'memory',
      listOrder: 'bytes',
      get: (key, options) => store.get(key, options),
      head: unused,
      put: unused,
      delete: unused,
      list: unused,
    }),
  )
}

async function collect(tasks: AsyncIterable<FileScanTask>): Promise<FileScanTask[]> {
  const all: FileScanTask[] = []
  for await (const task of tasks) all.push(task)
  return all
}

interface TestFile {
  readonly name: string
  readonly partition: readonly PartitionValue[]
  /** Bounds of `n`. */
  readonly n: readonly [lower: number, upper: number]
}

/** A table whose manifests hold the files given, in order. */
function table(manifests: readonly { readonly specId: number; readonly files: readonly TestFile[] }[]) {
  const store = new TestStore()
  const written = manifests.map(({ specId, files }, at): ManifestFile => {
    const written = specId === 0 ? oldSchema : schema
    const type = specId === 0 ? 'int' : 'long'
    const path = `${root}t/metadata/m${at}.avro`
    const entries = files.map(({ name, partition, n }): ManifestEntry => {
      const bound = (value: number) => new Map([[1, encodeSingleValue(type, specId === 0 ? value : BigInt(value))]])
      const file: DataFile = {
        content: 0,
        filePath: `${root}t/data/${name}.parquet`,
        fileFormat: 'PARQUET',
        specId,
        partition,
        recordCount: 10n,
        fileSizeBytes: 100n,
        columnSizes: new Map(),
        valueCounts: new Map([[1, 10n]]),
        nullValueCounts: new Map([[1, 0n]]),
        nanValueCounts: new Map(),
        lowerBounds: bound(n[0]),
        upperBounds: bound(n[1]),
        splitOffsets: [4n],
        sortOrderId: 0,
      }
      return { status: 'added', snapshotId: 5n, sequenceNumber: undefined, fileSequenceNumber: undefined, file }
    })
    const spec = bindPartitionSpec(specs[specId]!, [written])
    const made = writeManifest({ path, spec, schema: written, entries, snapshotId: 5n, sequenceNumber: BigInt(at + 1) })
    store.objects.set(`t/metadata/m${at}.avro`, made.bytes)
    return made.manifest
  })
  const putList = (name: string, list: readonly ManifestFile[]) => {
    const bytes = writeManifestList({ manifests: list, snapshotId: 5n, parentSnapshotId: null, sequenceNumber: 9n })
    store.objects.set(`t/metadata/${name}.avro`, bytes)
  }
  putList('snap', written)
  const snapshot = (id: number, list: string, schemaId: number): Snapshot => ({
    'snapshot-id': id,
    'sequence-number': 9,
    'timestamp-ms': 0,
    'manifest-list': `${root}t/metadata/${list}.avro`,
    summary: { operation: 'append' },
    'schema-id': schemaId,
  })
  const metadata: TableMetadata = {
    'format-version': 2,
    'table-uuid': '9c12d441-03fe-4693-9a96-a0705ddf69c1',
    location: `${root}t`,
    'last-sequence-number': 9,
    'last-updated-ms': 0,
    'last-column-id': 4,
    schemas: [oldSchema, schema],
    'current-schema-id': 1,
    'partition-specs': specs,
    'default-spec-id': 1,
    'last-partition-id': 1002,
    'sort-orders': [],
    'default-sort-order-id': 0,
    'current-snapshot-id': 5,
    snapshots: [snapshot(5, 'snap', 1), snapshot(4, 'snap', 0)],
  }
  const plan = async (options: Partial<PlanScanOptions> = {}): Promise<FileScanTask[]> =>
    collect(planScan({ tableFiles: filesOf(store), metadata, ...options }))
  const names = async (options: Partial<PlanScanOptions> = {}): Promise<string[]> =>
    (await plan(options)).map(({ file }) => file.filePath.replace(/^.*\/t\/data\/|\.parquet$/g, ''))
  return { store, metadata, manifests: written, putList, plan, names }
}

const day = (text: string): number => Date.parse(text) / 86_400_000
const twoSpecs = () =>
  table([
    {
      specId: 0,
      files: [
        { name: 'ams', partition: ['ams', 'x'], n: [1, 5] },
        { name: 'osl', partition: ['osl', null], n: [3, 9] },
      ],
    },
    {
      specId: 1,
      files: [
        { name: 'jan', partition: [day('2024-01-15')], n: [1, 5] },
        { name: 'null', partition: [null], n: [1, 5] },
      ],
    },
    { specId: 1, files: [{ name: 'feb', partition: [day('2024-02-15')], n: [-1, 2] }] },
  ])

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
