import { isKind, type JsonValue } from '@moulin/core'
import { readAvroFile, writeAvroFile } from '@moulin/format'
import { describe, expect, it } from 'vitest'
import type { ManifestFile } from './data-file.ts'
import { readManifestList, writeManifestList } from './manifest-list.ts'

const manifest: ManifestFile = {
  path: 'file:///lake/t/metadata/m0.avro',
  sizeBytes: 2n ** 53n + 1n,
  specId: 7,
  content: 'data',
  sequenceNumber: 2n ** 62n + 1n,
  minSequenceNumber: 2n ** 62n - 1n,
  addedSnapshotId: 2n ** 63n - 1n,
  addedFiles: 1,
  existingFiles: 2,
  deletedFiles: 3,
  addedRows: 2n ** 60n + 1n,
  existingRows: 5n,
  deletedRows: 6n,
  partitions: [
    { containsNull: true, containsNan: false, lowerBound: new Uint8Array([1]), upperBound: new Uint8Array(0) },
    { containsNull: false, containsNan: undefined, lowerBound: undefined, upperBound: undefined },
  ],
}
const path = 'file:///lake/t/metadata/snap.avro'
const write = (manifests: readonly ManifestFile[]): Uint8Array =>
  writeManifestList({ manifests, snapshotId: 2n ** 63n - 1n, parentSnapshotId: null, sequenceNumber: 9n })
const read = (bytes: Uint8Array): ManifestFile[] => readManifestList(bytes, { path })

type Field = { name: string; type: JsonValue; 'field-id': number }

/** The same list as another writer might make it: fields changed, or left out by returning undefined. */
function rewritten(manifests: readonly ManifestFile[], change: (field: Field) => Field | undefined): Uint8Array {
  const { schema, records } = readAvroFile(write(manifests))
  const { fields } = schema as unknown as { fields: Field[] }
  const kept = fields.flatMap((field) => change(field) ?? [])
  const names = new Map(fields.map((field) => [field.name, change(field)?.name]))
  return writeAvroFile({
    schema: { ...(schema as object), fields: kept } as unknown as JsonValue,
    records: records.map((record) =>
      Object.fromEntries(Object.entries(record).map(([name, value]) => [names.get(name) ?? 'dropped', value])),
    ),
  })
}

describe('a manifest list', () => {
  it('comes back as it was written, 64-bit numbers exact', () => {
    const other = { ...manifest, path: 'file:///lake/t/metadata/m1.avro', partitions: undefined }
    expect(read(write([manifest, other]))).toEqual([manifest, other])
    expect(read(write([]))).toEqual([])
  })

  it('has the fields of the specification under their ids', () => {
    const { schema, metadata } = readAvroFile(write([]))
    const { fields } = schema as unknown as { fields: Field[] }
    expect(
      fields.map((field) => `${field['field-id']} ${field.name} ${JSON.stringify(field.type).slice(0, 14)}`),
    ).toEqual([
      '500 manifest_path "string"',
      '501 manifest_length "long"',
      '502 partition_spec_id "int"',
      '517 content "int"',
      '515 sequence_number "long"',
      '516 min_sequence_number "long"',
      '503 added_snapshot_id "long"',
      '504 added_files_count "int"',
      '505 existing_files_count "int"',
      '506 deleted_files_count "int"',
      '512 added_rows_count "long"',
      '513 existing_rows_count "long"',
      '514 deleted_rows_count "long"',
      '507 partitions ["null",{"type',
      '519 key_metadata ["null","bytes',
    ])
    const text = JSON.stringify(schema)
    for (const id of ['"element-id":508', '"name":"contains_null","type":"boolean","field-id":509'])
      expect(text).toContain(id)
    for (const id of [510, 511, 518]) expect(text).toContain(`"field-id":${id}`)
    expect(metadata.get('snapshot-id')).toBe('9223372036854775807')
    expect(metadata.get('parent-snapshot-id')).toBe('null')
    expect(metadata.get('sequence-number')).toBe('9')
    expect(metadata.get('format-version')).toBe('2')
  })

  it('is read by field id: names of other writers do not matter', () => {
    const bytes = rewritten([manifest], (field) => ({ ...field, name: `other_${field['field-id']}` }))
    expect(read(bytes)).toEqual([manifest])
  })

  it('is read by name where a writer states no ids, Java’s older names included', () => {
    const bytes = rewritten([manifest], ({ name, type }) => {
      return { name: name.replace(/_files_count$/, '_data_files_count'), type } as Field
    })
    expect(read(bytes)).toEqual([manifest])
  })

  it('of version 1 has no sequence numbers and may have no counts', () => {
    const bytes = rewritten([manifest], (field) =>
      [504, 505, 506, 512, 513, 514, 515, 516, 517, 507].includes(field['field-id']) ? undefined : field,
    )
    const [read1] = read(bytes)
    expect(read1).toMatchObject({
      content: 'data',
      sequenceNumber: 0n,
      minSequenceNumber: 0n,
      addedSnapshotId: 2n ** 63n - 1n,
    })
    expect([read1!.addedFiles, read1!.addedRows, read1!.partitions]).toEqual([undefined, undefined, undefined])
    expect(() => write([read1!])).toThrow(expect.toSatisfy((error) => isKind(error, 'corrupt', 'MANIFEST_COUNTS')))
  })

  it('gives manifests of deletes beside those of data, live or not', () => {
    const deletes: ManifestFile = { ...manifest, content: 'deletes', path: 'file:///lake/t/metadata/d.avro' }
    const spent = { ...deletes, addedFiles: 0, existingFiles: 0 }
    expect(read(write([manifest, deletes, spent]))).toEqual([manifest, deletes, spent])
  })

  it('of version 3 says where the row ids of a manifest of data begin', () => {
    const { schema, records } = readAvroFile(
      write([manifest, { ...manifest, content: 'deletes' as const, path: 'file:///lake/t/metadata/d.avro' }]),
    )
    const fields = [
      ...(schema as { fields: object[] }).fields,
      { name: 'first_row_id', type: ['null', 'long'], 'field-id': 520 },
    ]
    const bytes = writeAvroFile({
      schema: { ...(schema as object), fields } as never,
      records: records.map((record) => ({ ...record, first_row_id: 2n ** 53n + 1n })),
      metadata: { 'format-version': '3' },
    })
    expect(read(bytes).map(({ firstRowId }) => firstRowId)).toEqual([2n ** 53n + 1n, undefined])
  })

  it('with an encrypted manifest is refused by name', () => {
    const { schema, records } = readAvroFile(write([manifest]))
    const bytes = writeAvroFile({ schema, records: [{ ...records[0], key_metadata: new Uint8Array(1) }] })
    expect(() => read(bytes)).toThrow(
      expect.toSatisfy((error) => isKind(error, 'unsupported', 'ENCRYPTION') && error.message.includes('m0.avro')),
    )
  })

  it('that lacks a path is corrupt', () => {
    const bytes = rewritten([manifest], (field) => (field['field-id'] === 500 ? undefined : field))
    expect(() => read(bytes)).toThrow(expect.toSatisfy((error) => isKind(error, 'corrupt', 'AVRO_SHAPE')))
  })
})
