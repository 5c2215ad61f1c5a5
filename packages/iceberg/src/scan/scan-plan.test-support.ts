import {
  defineObjectStore,
  notFound,
  tableFiles,
  type IcebergSchema,
  type PartitionSpec,
  type Snapshot,
  type StoredObject,
  type TableFiles,
  type TableMetadata,
} from '@moulin/core'
import type { DataFile, ManifestEntry, ManifestFile } from '../manifests/data-file.ts'
import type { PartitionValue } from '../values/datum.ts'
import { writeManifest } from '../manifests/manifest.ts'
import { writeManifestList } from '../manifests/manifest-list.ts'
import { bindPartitionSpec } from '../partitions/partition-fields.ts'
import { planScan, type FileScanTask, type PlanScanOptions } from './scan-plan.ts'
import { encodeSingleValue } from '../values/single-value.ts'

/** Tables whose manifests lie in a map, with two partition specs and a schema that changed. */

export const column = (id: number, name: string, type: string) => ({ id, name, required: false, type })
export const oldSchema: IcebergSchema = {
  type: 'struct',
  'schema-id': 0,
  fields: [column(1, 'n', 'int'), column(2, 'city', 'string'), column(3, 'gone', 'string')],
}
/** `n` was promoted, `city` renamed, `gone` dropped. */
export const schema: IcebergSchema = {
  type: 'struct',
  'schema-id': 1,
  fields: [column(1, 'n', 'long'), column(2, 'town', 'string'), column(4, 'at', 'timestamptz')],
}
export const specs: PartitionSpec[] = [
  {
    'spec-id': 0,
    fields: [
      { 'source-id': 2, 'field-id': 1000, name: 'city', transform: 'identity' },
      { 'source-id': 3, 'field-id': 1001, name: 'gone', transform: 'identity' },
    ],
  },
  { 'spec-id': 1, fields: [{ 'source-id': 4, 'field-id': 1002, name: 'at_day', transform: 'day' }] },
]
export const root = 'file:///lake/'

/** A store of objects in a map that counts what is read, and lets reads wait. */
export class TestStore {
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
export function filesOf(store: TestStore): TableFiles {
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

export async function collect(tasks: AsyncIterable<FileScanTask>): Promise<FileScanTask[]> {
  const all: FileScanTask[] = []
  for await (const task of tasks) all.push(task)
  return all
}

export interface TestFile {
  readonly name: string
  readonly partition: readonly PartitionValue[]
  /** Bounds of `n`. */
  readonly n: readonly [lower: number, upper: number]
}

/** A table whose manifests hold the files given, in order. */
export function table(manifests: readonly { readonly specId: number; readonly files: readonly TestFile[] }[]) {
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
  /** With another manifest list. */
  const at = (list: string): TableMetadata => ({ ...metadata, snapshots: [snapshot(5, list, 1)] })
  return { store, metadata, manifests: written, putList, plan, names, at }
}

export const day = (text: string): number => Date.parse(text) / 86_400_000
export const twoSpecs = () =>
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
