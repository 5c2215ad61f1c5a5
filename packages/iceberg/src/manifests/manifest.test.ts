import { parseJson, type IcebergSchema, type JsonValue } from '@moulin/core'
import { readAvroFile } from '@moulin/format'
import { describe, expect, it } from 'vitest'
import type { ManifestEntry, ManifestFile } from './data-file.ts'
import { avroName } from './manifest-schema.ts'
import { added, dataFile, identities, schema, types, unpartitioned, write } from './manifest.test-support.ts'
import { readManifest } from './read-manifest.ts'
import { bindPartitionSpec } from '../partitions/partition-fields.ts'
import { decodeSingleValue } from '../values/single-value.ts'

const unpack = (type: JsonValue): JsonValue => (Array.isArray(type) ? type[1]! : type)

/** Every field of an Avro schema as `id name type`, `?` for optional. */
function outline(type: JsonValue): string[] {
  const record = unpack(type) as { fields?: JsonValue[]; items?: JsonValue }
  if (record.items !== undefined) return outline(record.items)
  return (record.fields ?? []).flatMap((json) => {
    const field = json as { 'field-id': number; name: string; type: JsonValue }
    const inner = unpack(field.type)
    const shown = typeof inner === 'string' ? inner : (inner as { type: string }).type
    const own = `${field['field-id']} ${field.name} ${shown}${Array.isArray(field.type) ? '?' : ''}`
    return [own, ...outline(field.type).map((line) => `  ${line}`)]
  })
}

describe('writeManifest', () => {
  it('writes the fields of the specification under their ids', () => {
    const { schema: avro } = readAvroFile(write(unpartitioned, []).bytes)
    const map = (id: number, name: string, key: number, value: string) => [
      `  ${id} ${name} array?`,
      `    ${key} key int`,
      `    ${key + 1} value ${value}`,
    ]
    expect(outline(avro)).toEqual([
      '0 status int',
      '1 snapshot_id long?',
      '3 sequence_number long?',
      '4 file_sequence_number long?',
      '2 data_file record',
      '  134 content int',
      '  100 file_path string',
      '  101 file_format string',
      '  102 partition record',
      '  103 record_count long',
      '  104 file_size_in_bytes long',
      ...map(108, 'column_sizes', 117, 'long'),
      ...map(109, 'value_counts', 119, 'long'),
      ...map(110, 'null_value_counts', 121, 'long'),
      ...map(137, 'nan_value_counts', 138, 'long'),
      ...map(125, 'lower_bounds', 126, 'bytes'),
      ...map(128, 'upper_bounds', 129, 'bytes'),
      '  131 key_metadata bytes?',
      '  132 split_offsets array?',
      '  135 equality_ids array?',
      '  140 sort_order_id int?',
    ])
    expect(JSON.stringify(avro)).toContain('"element-id":133')
    expect(JSON.stringify(avro)).toContain('"name":"k117_v118"')
  })

  it('writes the partition tuple in Avro types that say what they are', () => {
    const { schema: avro } = readAvroFile(write(identities, []).bytes)
    const text = JSON.stringify(avro)
    expect(text).toContain('{"type":"int","logicalType":"date"}')
    expect(text).toContain('{"type":"long","logicalType":"timestamp-micros","adjust-to-utc":true}')
    expect(text).toContain('{"type":"long","logicalType":"timestamp-micros","adjust-to-utc":false}')
    expect(text).toContain('"size":2,"logicalType":"decimal","precision":4,"scale":2')
    expect(text).toContain('"size":16,"logicalType":"uuid"')
    expect(text).toContain('"iceberg-field-name":"decimal(4,2) of c5"')
    expect(avroName('1a-b c')).toBe('_1a_x2Db_x20c')
    expect(avroName('größe\u{1f9ca}')).toBe('gr_xF6_xDFe_x1F9CA')
  })

  it('writes the metadata keys of the specification', () => {
    const { metadata } = readAvroFile(write(identities, []).bytes)
    expect(metadata.get('schema-id')).toBe('3')
    expect(metadata.get('partition-spec-id')).toBe('7')
    expect(metadata.get('format-version')).toBe('2')
    expect(metadata.get('content')).toBe('data')
    expect(parseJson(metadata.get('schema')!, 'schema')).toEqual(schema)
    const spec = parseJson(metadata.get('partition-spec')!, 'spec') as JsonValue[]
    expect(spec[1]).toEqual({ 'source-id': 2, 'field-id': 1001, name: 'int of c1', transform: 'identity' })
  })

  it('describes itself for the manifest list', () => {
    const entries: ManifestEntry[] = [
      added(dataFile(unpartitioned, [], 'a')),
      {
        status: 'existing',
        snapshotId: 1n,
        sequenceNumber: 5n,
        fileSequenceNumber: 5n,
        file: dataFile(unpartitioned, [], 'b'),
      },
      {
        status: 'deleted',
        snapshotId: 9n,
        sequenceNumber: 2n,
        fileSequenceNumber: 2n,
        file: dataFile(unpartitioned, [], 'c'),
      },
    ]
    const { bytes, manifest } = write(unpartitioned, entries)
    expect(manifest).toEqual({
      path: 'file:///lake/t/metadata/m0.avro',
      sizeBytes: BigInt(bytes.length),
      specId: 0,
      content: 'data',
      sequenceNumber: 2n ** 55n + 1n,
      // Deleted files do not count.
      minSequenceNumber: 5n,
      addedSnapshotId: 2n ** 62n + 1n,
      addedFiles: 1,
      existingFiles: 1,
      deletedFiles: 1,
      addedRows: 2n ** 53n + 1n,
      existingRows: 2n ** 53n + 1n,
      deletedRows: 2n ** 53n + 1n,
      partitions: [],
    } satisfies ManifestFile)
  })

  it('summarizes partition values, NaN and null apart', () => {
    const tuples = [0, 1, 2].map((row) => types.map(([, values]) => values[row]!))
    const { manifest } = write(
      identities,
      tuples.map((tuple) => added(dataFile(identities, tuple))),
    )
    const summary = (type: string) => manifest.partitions![types.findIndex(([name]) => name === type)]!
    const bounds = (type: string) => {
      const { lowerBound, upperBound } = summary(type)
      return [decodeSingleValue(type, lowerBound!), decodeSingleValue(type, upperBound!)]
    }
    expect(bounds('long')).toEqual([-(2n ** 63n), 2n ** 63n - 1n])
    expect(bounds('float')).toEqual([-0, 0.5])
    expect(bounds('string')).toEqual(['', '\u{1f9ca}'])
    expect(bounds('decimal(4,2)')).toEqual([-9999n, 9999n])
    expect(summary('float')).toMatchObject({ containsNull: false, containsNan: true })
    expect(summary('int')).toMatchObject({ containsNull: true, containsNan: false })
    const empty = write(identities, [
      added(
        dataFile(
          identities,
          types.map(() => null),
        ),
      ),
    ]).manifest.partitions![0]
    expect(empty).toEqual({ containsNull: true, containsNan: false, lowerBound: undefined, upperBound: undefined })
  })
})

describe('readManifest', () => {
  it('brings back every type of partition value, and every 64-bit number exactly', () => {
    for (const row of [0, 1, 2]) {
      const file = dataFile(
        identities,
        types.map(([, values]) => values[row]!),
      )
      const { bytes, manifest } = write(identities, [added(file)])
      expect(readManifest(bytes, { manifest, spec: identities })).toEqual([
        {
          status: 'added',
          snapshotId: 2n ** 62n + 1n,
          sequenceNumber: 2n ** 55n + 1n,
          fileSequenceNumber: 2n ** 55n + 1n,
          file,
        },
      ])
    }
  })

  it('inherits sequence numbers where an added file has none, and keeps those of existing ones', () => {
    const existing: ManifestEntry = {
      ...added(dataFile(unpartitioned, [])),
      status: 'existing',
      sequenceNumber: 4n,
      fileSequenceNumber: 3n,
    }
    const { bytes, manifest } = write(unpartitioned, [added(dataFile(unpartitioned, [])), existing])
    // What a retry of the commit changes.
    const retried = { ...manifest, sequenceNumber: 77n }
    const numbers = readManifest(bytes, { manifest: retried, spec: unpartitioned }).map((entry) => {
      return [entry.sequenceNumber, entry.fileSequenceNumber]
    })
    expect(numbers).toEqual([
      [77n, 77n],
      [4n, 3n],
    ])
  })

  it('gives deleted entries only when asked', () => {
    const deleted: ManifestEntry = {
      ...added(dataFile(unpartitioned, [])),
      status: 'deleted',
      sequenceNumber: 1n,
      fileSequenceNumber: 1n,
    }
    const { bytes, manifest } = write(unpartitioned, [deleted])
    expect(readManifest(bytes, { manifest, spec: unpartitioned })).toEqual([])
    expect(readManifest(bytes, { manifest, spec: unpartitioned, withDeleted: true })).toEqual([deleted])
  })

  it('reads a tuple by today’s types: an int of a column that is now a long is a bigint', () => {
    const field = { 'source-id': 1, 'field-id': 1000, name: 'p', transform: 'identity' }
    const schemaOf = (type: string): IcebergSchema => {
      return { type: 'struct', fields: [{ id: 1, name: 'n', required: false, type }] }
    }
    const then = bindPartitionSpec({ 'spec-id': 0, fields: [field] }, [schemaOf('int')])
    const now = bindPartitionSpec({ 'spec-id': 0, fields: [field] }, [schemaOf('long'), schemaOf('int')])
    const unknown = bindPartitionSpec({ 'spec-id': 0, fields: [field] }, [])
    const { bytes, manifest } = write(then, [added(dataFile(then, [-5]))])
    expect(readManifest(bytes, { manifest, spec: now })[0]!.file.partition).toEqual([-5n])
    expect(readManifest(bytes, { manifest, spec: unknown })[0]!.file.partition).toEqual([-5])
  })
})
