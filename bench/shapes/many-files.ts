import { join } from 'node:path'
import { systemRuntime } from '@moulin/core'
import type { IcebergField, IcebergSchema, ObjectStore, TableMetadata } from '@moulin/core'
import {
  applyUpdates,
  bindPartitionSpec,
  currentSchema,
  currentSpec,
  dataFileMetrics,
  newTableMetadata,
  tableMetadataBytes,
  writeManifest,
  writeManifestList,
} from '@moulin/iceberg'
import type { ManifestEntry, ManifestFile } from '@moulin/iceberg'
import { fileSystem } from '@moulin/storage'

/** The metadata of a topic's table after many commits, of whose data files there is nothing but what manifests say. */
export interface ManyFiles {
  readonly store: ObjectStore
  readonly metadata: TableMetadata
  /** For engines that open a table by its metadata. */
  readonly metadataPath: string
  readonly files: number
}

/** Partitions of the log. */
export const PARTITIONS = 4
/** Of each of them in one file. */
export const OFFSETS = 250
const FILES_PER_MANIFEST = 2_000
const FILES_PER_DAY = 1_000
const DAY_MICROS = 86_400_000_000n

const types: readonly (readonly [name: string, type: string])[] = [
  ['_kafka_partition', 'int'],
  ['_kafka_offset', 'long'],
  ['_kafka_timestamp', 'timestamptz'],
  ['_kafka_incarnation', 'int'],
  ['_kafka_key', 'binary'],
  ['_kafka_crc', 'int'],
  ['id', 'long'],
  ['kind', 'string'],
  ['user_name', 'string'],
  ['price', 'decimal(18,4)'],
  ['share', 'double'],
  ['placed_at', 'timestamptz'],
  ['placed_on', 'date'],
  ['session', 'uuid'],
  ['is_new', 'boolean'],
  ['note', 'string'],
]
const fields = types.map(([name, type], at): IcebergField => ({ id: at + 1, name, required: false, type }))
const schema: IcebergSchema = { type: 'struct', fields }

/** Bounds of the columns of the n-th file, as the values that lie in it would have them. */
function boundsOf(n: number): readonly (readonly [lower: unknown, upper: unknown])[] {
  const time = BigInt(n) * (DAY_MICROS / BigInt(FILES_PER_DAY))
  const text = (value: string): Uint8Array => Buffer.from(value)
  const number = BigInt(n)
  return [
    [0, PARTITIONS - 1],
    [number * BigInt(OFFSETS), (number + 1n) * BigInt(OFFSETS) - 1n],
    [time, time + 60_000_000n],
    [1, 1],
    [text(`key-${n % 97}`), text(`key-9${n % 97}`)],
    [-(2 ** 31) + n, 2 ** 31 - 1 - n],
    [number * 1_000_000n, number * 1_000_000n + 999_983n],
    [text('arrival'), text('withdrawal')],
    [text(`Ada ${n % 13} Lovelac`), text(`Zoe ${n % 17} Zimmern`)],
    [number, number * 7919n],
    [0.001 * n, 1e6 + n],
    [time - 5_000_000n, time + 59_000_000n],
    [n % 20_000, (n % 20_000) + 1],
    [Buffer.alloc(16, n % 128), Buffer.alloc(16, 128 + (n % 128))],
    [false, true],
    [text('a note of some'), text('zzz words and mo')],
  ]
}

function entryOf(n: number, location: string): ManifestEntry {
  const rows = PARTITIONS * OFFSETS
  const bounds = boundsOf(n)
  const metrics = new Map(
    fields.map(({ id }, at) => {
      const [lower, upper] = bounds[at]!
      return [
        id,
        { sizeBytes: 4_000 + (n % 977), valueCount: rows, nullCount: at > 5 ? n % 11 : 0, lower, upper } as never,
      ]
    }),
  )
  const name = `${String(n).padStart(8, '0')}-5eed-4000-8000-${String(n).padStart(12, '0')}-0.parquet`
  return {
    status: 'existing',
    snapshotId: BigInt(n + 1),
    sequenceNumber: BigInt(n + 1),
    fileSequenceNumber: BigInt(n + 1),
    file: {
      content: 0,
      filePath: `${location}/data/${name}`,
      fileFormat: 'PARQUET',
      specId: 0,
      partition: [Math.floor(n / FILES_PER_DAY)],
      recordCount: BigInt(rows),
      fileSizeBytes: 100_000n + BigInt(n % 4096),
      ...dataFileMetrics(schema, metrics),
      splitOffsets: [4n],
      sortOrderId: 0,
    },
  }
}

/** Writes the manifests of a table of so many files into the folder. */
export async function manyFiles(dir: string, files: number): Promise<ManyFiles> {
  const store = fileSystem({ root: dir, files: systemRuntime().files })
  const location = `${store.root}t`
  const put = async (name: string, bytes: Uint8Array): Promise<string> => {
    await store.put(`t/metadata/${name}`, bytes)
    return `${location}/metadata/${name}`
  }
  const partitionSpec = { fields: [{ 'source-id': 3, name: '_kafka_timestamp_day', transform: 'day' }] }
  const empty = newTableMetadata(
    { schema, partitionSpec },
    { uuid: '5eed0000-0000-4000-8000-000000000000', location, nowMs: 0 },
  )
  const spec = bindPartitionSpec(currentSpec(empty), [currentSchema(empty)])
  const snapshotId = BigInt(files) + 1n
  const manifests: ManifestFile[] = []
  for (let from = 0; from < files; from += FILES_PER_MANIFEST) {
    const entries = Array.from({ length: Math.min(FILES_PER_MANIFEST, files - from) }, (_, at) =>
      entryOf(from + at, location),
    )
    const name = `m${manifests.length}.avro`
    const request = { path: `${location}/metadata/${name}`, spec, schema: currentSchema(empty), entries }
    const { bytes, manifest } = writeManifest({ ...request, snapshotId, sequenceNumber: snapshotId })
    await put(name, bytes)
    manifests.push(manifest)
  }
  const list = writeManifestList({ manifests, snapshotId, parentSnapshotId: null, sequenceNumber: snapshotId })
  const snapshot = {
    'snapshot-id': Number(snapshotId),
    'sequence-number': Number(snapshotId),
    'timestamp-ms': 1,
    'manifest-list': await put('snap.avro', list),
    summary: { operation: 'append' },
    'schema-id': 0,
  }
  const metadata = applyUpdates(
    empty,
    [
      { action: 'add-snapshot', snapshot },
      { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': Number(snapshotId) },
    ],
    { nowMs: 1 },
  )
  await put('v1.metadata.json', tableMetadataBytes(metadata))
  return { store, metadata, metadataPath: join(dir, 't/metadata/v1.metadata.json'), files }
}
