import { readAvroFile, writeAvroFile } from '@moulin/format'
import { describe, expect, it } from 'vitest'
import type { ManifestEntry, ManifestFile } from './data-file.ts'
import { readManifestNames } from './manifest-names.ts'
import { dataFile, schema, unpartitioned } from './manifest.test-support.ts'
import { writeManifest } from './manifest.ts'
import { readManifest } from './read-manifest.ts'

const path = 'file:///lake/t/metadata/m0.avro'

type Avro = Record<string, unknown>
interface Change {
  readonly metadata?: Readonly<Record<string, string>>
  readonly entry?: Avro
  readonly file?: Avro
}

/** A manifest of ours with an entry of each status, as another writer would have it. */
function manifestOf({ metadata = {}, entry = {}, file = {} }: Change = {}): [Uint8Array, ManifestFile] {
  const entries = (['added', 'existing', 'deleted'] as const).map((status, at): ManifestEntry => {
    const sequence = status === 'added' ? undefined : BigInt(at)
    const named = dataFile(unpartitioned, [], status)
    return { status, snapshotId: 5n, sequenceNumber: sequence, fileSequenceNumber: sequence, file: named }
  })
  const { bytes, manifest } = writeManifest({
    path,
    spec: unpartitioned,
    schema,
    entries,
    snapshotId: 5n,
    sequenceNumber: 9n,
  })
  const avro = readAvroFile(bytes, { what: path })
  const changed = writeAvroFile({
    schema: avro.schema,
    metadata: { ...Object.fromEntries(avro.metadata), ...metadata },
    records: avro.records.map((record) => {
      const row = record as Avro
      return { ...row, ...entry, data_file: { ...(row['data_file'] as Avro), ...file } }
    }),
  })
  return [changed, { ...manifest, sizeBytes: BigInt(changed.length) }]
}

const names = [
  { filePath: 'file:///lake/t/data/added.parquet', sequenceNumber: 9n },
  { filePath: 'file:///lake/t/data/existing.parquet', sequenceNumber: 1n },
]

describe('the names in a manifest', () => {
  const foreign: readonly (readonly [string, Change])[] = [
    ['rows', {}],
    ['position deletes', { metadata: { content: 'deletes' }, file: { content: 1 } }],
    ['equality deletes', { metadata: { content: 'deletes' }, file: { content: 2 } }],
    ['another file format', { file: { file_format: 'ORC' } }],
    ['encrypted files', { file: { key_metadata: new Uint8Array(3) } }],
  ]

  it.each(foreign)('are read without an understanding of %s', (what, change) => {
    const [bytes, manifest] = manifestOf(change)
    expect(readManifestNames(bytes, manifest)).toEqual(names)
    if (what !== 'rows') expect(() => readManifest(bytes, { manifest, spec: unpartitioned })).toThrow()
  })

  it('are refused where they may be others: of another length, status or format version', () => {
    const [bytes, manifest] = manifestOf()
    const code = (change: Change): unknown => {
      try {
        return readManifestNames(...manifestOf(change))
      } catch (error) {
        return (error as { code: string }).code
      }
    }
    expect(() => readManifestNames(bytes.subarray(1), manifest)).toThrow(/its manifest list says/)
    expect(code({ entry: { status: 3 } })).toBe('MANIFEST_STATUS')
    expect(code({ metadata: { 'format-version': '4' } })).toBe('FORMAT_VERSION')
    expect(code({ metadata: { 'format-version': '3' } })).toEqual(names)
    expect(code({ metadata: { 'format-version': '1' } })).toEqual(names)
  })
})
