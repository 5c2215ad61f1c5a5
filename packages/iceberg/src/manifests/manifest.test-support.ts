import type { IcebergSchema } from '@moulin/core'
import type { DataFile, ManifestEntry, ManifestFile } from './data-file.ts'
import type { PartitionValue } from '../values/datum.ts'
import { writeManifest } from './manifest.ts'
import { bindPartitionSpec, type BoundPartitionSpec } from '../partitions/partition-fields.ts'

/** Every primitive type with three values of each, and manifests over them. */

export const types: [string, PartitionValue[]][] = [
  ['boolean', [true, false, null]],
  ['int', [-2147483648, 2147483647, null]],
  ['long', [-(2n ** 63n), 2n ** 53n + 1n, 2n ** 63n - 1n]],
  ['float', [0.5, Number.NaN, -0]],
  ['double', [0.1, Number.NEGATIVE_INFINITY, null]],
  ['decimal(4,2)', [-9999n, 9999n, null]],
  ['decimal(38,0)', [-(10n ** 38n) + 1n, 10n ** 38n - 1n, 0n]],
  ['date', [-1, 17486, null]],
  ['time', [0n, 86_399_999_999n, null]],
  ['timestamp', [-1n, 0n, null]],
  ['timestamptz', [-1n, 2n ** 62n, null]],
  ['string', ['', '\u{1f9ca}', null]],
  ['uuid', [new Uint8Array(16), new Uint8Array(16).fill(255), null]],
  ['fixed[3]', [new Uint8Array(3), new Uint8Array([1, 2, 255]), null]],
  ['binary', [new Uint8Array(0), new Uint8Array([255]), null]],
]
export const schema: IcebergSchema = {
  type: 'struct',
  'schema-id': 3,
  fields: types.map(([type], at) => ({ id: at + 1, name: `c${at}`, required: false, type })),
}
export const identities: BoundPartitionSpec = bindPartitionSpec(
  {
    'spec-id': 7,
    fields: types.map(([type], at) => {
      return { 'source-id': at + 1, 'field-id': 1000 + at, name: `${type} of c${at}`, transform: 'identity' }
    }),
  },
  [schema],
)
export const unpartitioned: BoundPartitionSpec = bindPartitionSpec({ 'spec-id': 0, fields: [] }, [schema])

export function dataFile(spec: BoundPartitionSpec, partition: readonly PartitionValue[], name = 'a'): DataFile {
  return {
    content: 0,
    filePath: `file:///lake/t/data/${name}.parquet`,
    fileFormat: 'PARQUET',
    specId: spec.specId,
    partition,
    recordCount: 2n ** 53n + 1n,
    fileSizeBytes: 2n ** 40n,
    columnSizes: new Map([[1, 2n ** 60n + 1n]]),
    valueCounts: new Map([
      [1, 5n],
      [2147483447, 6n],
    ]),
    nullValueCounts: new Map([[1, 0n]]),
    nanValueCounts: new Map([[4, 1n]]),
    lowerBounds: new Map([[1, new Uint8Array([0])]]),
    upperBounds: new Map([[12, new Uint8Array(0)]]),
    splitOffsets: [4n, 2n ** 33n],
    sortOrderId: 0,
  }
}

export const added = (file: DataFile): ManifestEntry => {
  return { status: 'added', snapshotId: 2n ** 62n + 1n, sequenceNumber: undefined, fileSequenceNumber: undefined, file }
}
export const write = (
  spec: BoundPartitionSpec,
  entries: readonly ManifestEntry[],
): { readonly bytes: Uint8Array; readonly manifest: ManifestFile } =>
  writeManifest({
    path: 'file:///lake/t/metadata/m0.avro',
    spec,
    schema,
    entries,
    snapshotId: 2n ** 62n + 1n,
    sequenceNumber: 2n ** 55n + 1n,
  })
