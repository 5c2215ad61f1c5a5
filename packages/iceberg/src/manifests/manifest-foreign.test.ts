import { isKind, type JsonValue } from '@moulin/core'
import { readAvroFile, writeAvroFile } from '@moulin/format'
import { describe, expect, it } from 'vitest'
import type { ManifestFile } from './data-file.ts'
import { added, dataFile, unpartitioned, write } from './manifest.test-support.ts'
import { readManifest } from './read-manifest.ts'

/** A manifest as another writer might make it. */
function foreign(
  change: { readonly file?: Record<string, unknown>; readonly entry?: Record<string, unknown> },
  metadata: Record<string, string> = { 'format-version': '2', content: 'data' },
): { bytes: Uint8Array; manifest: ManifestFile } {
  const id = (fieldId: number, name: string, type: JsonValue): JsonValue => ({ name, type, 'field-id': fieldId })
  const fields = [
    id(134, 'content', 'int'),
    id(101, 'FORMAT', 'string'),
    id(100, 'PATH', 'string'),
    id(102, 'PARTITION', { type: 'record', name: 'r102', fields: [] }),
    id(104, 'BYTES', 'int'),
    id(103, 'ROWS', 'long'),
    id(105, 'block_size_in_bytes', 'long'),
    id(109, 'counts', [
      'null',
      {
        type: 'array',
        items: { type: 'record', name: 'pair', fields: [id(119, 'key', 'long'), id(120, 'value', 'int')] },
      },
    ]),
    id(131, 'key_metadata', ['null', 'bytes']),
    id(999, 'invented', 'string'),
  ]
  const bytes = writeAvroFile({
    schema: {
      type: 'record',
      name: 'entry',
      fields: [
        id(2, 'FILE', { type: 'record', name: 'r2', fields }),
        id(0, 'STATUS', 'int'),
        id(3, 'seq', ['null', 'long']),
      ],
    },
    metadata,
    records: [
      {
        STATUS: 1,
        seq: null,
        ...change.entry,
        FILE: {
          content: 0,
          FORMAT: 'parquet',
          PATH: 's3://lake/x.parquet',
          PARTITION: {},
          BYTES: 9,
          ROWS: 8,
          block_size_in_bytes: 67108864,
          counts: [{ key: 1n, value: 8 }],
          key_metadata: null,
          invented: 'x',
          ...change.file,
        },
      },
    ],
  })
  return { bytes, manifest: { ...write(unpartitioned, []).manifest, sizeBytes: BigInt(bytes.length) } }
}

describe('readManifest of another writer', () => {
  const read = (made: { bytes: Uint8Array; manifest: ManifestFile }) =>
    readManifest(made.bytes, { manifest: made.manifest, spec: unpartitioned })

  it('goes by field id, whatever names, order and integer widths are', () => {
    const [entry] = read(foreign({}))
    expect(entry).toMatchObject({
      status: 'added',
      snapshotId: 2n ** 62n + 1n,
      sequenceNumber: 2n ** 55n + 1n,
      file: { filePath: 's3://lake/x.parquet', fileFormat: 'PARQUET', recordCount: 8n, fileSizeBytes: 9n },
    })
    expect(entry!.file.valueCounts).toEqual(new Map([[1, 8n]]))
    expect(entry!.file.lowerBounds.size + entry!.file.splitOffsets.length).toBe(0)
  })

  it('goes by name where a writer states no ids', () => {
    const { bytes, manifest } = write(unpartitioned, [added(dataFile(unpartitioned, []))])
    const { schema: avro, records, metadata } = readAvroFile(bytes)
    const without = JSON.parse(
      JSON.stringify(avro, (key, value: unknown) => (key === 'field-id' ? undefined : value)),
    ) as JsonValue
    const rewritten = writeAvroFile({ schema: without, records, metadata: { content: metadata.get('content')! } })
    const sized = { ...manifest, sizeBytes: BigInt(rewritten.length) }
    expect(readManifest(rewritten, { manifest: sized, spec: unpartitioned })).toEqual(
      readManifest(bytes, { manifest, spec: unpartitioned }),
    )
  })

  it('reads version 1: no content, no sequence numbers', () => {
    const made = foreign({ entry: { STATUS: 0 } }, {})
    const [entry] = read({ ...made, manifest: { ...made.manifest, sequenceNumber: 0n } })
    expect(entry).toMatchObject({ status: 'existing', sequenceNumber: 0n })
  })

  it.each([
    ['ORC', foreign({ file: { FORMAT: 'orc' } }), 'FILE_FORMAT', /orc/],
    ['encryption', foreign({ file: { key_metadata: new Uint8Array(1) } }), 'ENCRYPTION', /key metadata/],
    ['format version 4', foreign({}, { 'format-version': '4' }), 'FORMAT_VERSION', /version 4/],
  ] as const)('refuses %s by name', (_name, made, code, text) => {
    expect(() => read(made)).toThrow(
      expect.toSatisfy((error) => isKind(error, 'unsupported', code) && text.test(error.message)),
    )
  })

  it('passes over a deleted entry of a kind that it could not read', () => {
    expect(read(foreign({ entry: { STATUS: 2 }, file: { FORMAT: 'orc' } }))).toEqual([])
  })

  it.each([
    ['an unknown status', foreign({ entry: { STATUS: 3 } }), 'MANIFEST_STATUS'],
    ['a file of deletes among files of rows', foreign({ file: { content: 1 } }), 'MANIFEST_CONTENT'],
    ['a manifest of deletes that is listed as one of data', foreign({}, { content: 'deletes' }), 'MANIFEST_CONTENT'],
    ['an existing file without a sequence number', foreign({ entry: { STATUS: 0 } }), 'MANIFEST_SEQUENCE'],
  ] as const)('calls %s corrupt', (_name, made, code) => {
    expect(() => read(made)).toThrow(expect.toSatisfy((error) => isKind(error, 'corrupt', code)))
  })

  it('calls a manifest corrupt that is shorter than its list says, even when cut between blocks', () => {
    const { bytes, manifest } = write(unpartitioned, [])
    const longer = { ...manifest, sizeBytes: BigInt(bytes.length) + 40n }
    expect(() => readManifest(bytes, { manifest: longer, spec: unpartitioned })).toThrow(
      expect.toSatisfy((error) => isKind(error, 'corrupt', 'MANIFEST_LENGTH')),
    )
  })

  it('calls a file corrupt whose fields are of other types, never trusting them', () => {
    const odd = writeAvroFile({
      schema: {
        type: 'record',
        name: 'e',
        fields: [
          { name: 's', type: 'string', 'field-id': 0 },
          {
            name: 'f',
            'field-id': 2,
            type: {
              type: 'record',
              name: 'f',
              fields: [{ name: 'p', 'field-id': 102, type: { type: 'record', name: 'p', fields: [] } }],
            },
          },
        ],
      },
      records: [{ s: '1', f: { p: {} } }],
      metadata: { content: 'data' },
    })
    const manifest = { ...write(unpartitioned, []).manifest, sizeBytes: BigInt(odd.length) }
    expect(() => read({ bytes: odd, manifest })).toThrow(
      expect.toSatisfy((error) => isKind(error, 'corrupt', 'AVRO_SHAPE')),
    )
    const scalar = writeAvroFile({
      schema: { type: 'record', name: 'e', fields: [{ name: 'f', 'field-id': 2, type: 'int' }] },
      records: [],
    })
    expect(() => read({ bytes: scalar, manifest: { ...manifest, sizeBytes: BigInt(scalar.length) } })).toThrow(
      expect.toSatisfy((error) => isKind(error, 'corrupt', 'AVRO_SHAPE')),
    )
  })
})
