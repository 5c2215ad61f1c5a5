/** An index of a manifest holds what the manifest does, and leaves out only what cannot match. */
import { isMoulinError, type JsonValue } from '@moulin/core'
import { readAvroFile, writeAvroFile } from '@moulin/format'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { DataFile, ManifestEntry, ManifestFile } from '../manifests/data-file.ts'
import { dataFileMetrics } from '../manifests/data-file-metrics.ts'
import { entryLayout } from '../manifests/entry-layout.ts'
import { dataFile, identities, schema, types, unpartitioned } from '../manifests/manifest.test-support.ts'
import { writeManifest } from '../manifests/manifest.ts'
import { readManifest } from '../manifests/read-manifest.ts'
import { bindPartitionSpec, type BoundPartitionSpec } from '../partitions/partition-fields.ts'
import {
  expressionArbitrary,
  focusArbitrary,
  metricsFrom,
  rowsArbitrary,
  testSchema,
  toExpression,
  type Row,
} from './expression.test-support.ts'
import { factsMightMatch, indexManifest, type IndexedFile, type ManifestIndex } from './manifest-index.ts'
import { bindExpression, type Predicate } from './predicate.ts'
import { metricsMightMatch } from './pruning.ts'

const runs = process.env['MOULIN_LONG'] === undefined ? 1 : 20
const all: Predicate = { op: 'true' }
const path = 'file:///lake/t/metadata/m0.avro'

const indexOf = (bytes: Uint8Array, manifest: ManifestFile, spec: BoundPartitionSpec): ManifestIndex =>
  indexManifest(bytes, { ...manifest, sizeBytes: BigInt(bytes.length) }, spec, (text) =>
    entryLayout(text, 'a manifest', spec),
  )

const filesIn = (index: ManifestIndex, spec: BoundPartitionSpec): IndexedFile[] => [...index.matching(all, all, spec)]

/** Maps are left as they lie in the file until they are asked for. */
const plain = ({ file, sequenceNumber, snapshotId }: IndexedFile): IndexedFile => ({
  file: {
    ...file,
    columnSizes: new Map(file.columnSizes),
    valueCounts: new Map(file.valueCounts),
    nullValueCounts: new Map(file.nullValueCounts),
    nanValueCounts: new Map(file.nanValueCounts),
    lowerBounds: new Map(file.lowerBounds),
    upperBounds: new Map(file.upperBounds),
  },
  sequenceNumber,
  snapshotId,
})

const asRead = (bytes: Uint8Array, manifest: ManifestFile, spec: BoundPartitionSpec): IndexedFile[] =>
  readManifest(bytes, { manifest: { ...manifest, sizeBytes: BigInt(bytes.length) }, spec }).map(
    ({ file, sequenceNumber, snapshotId }) => ({ file, sequenceNumber: sequenceNumber!, snapshotId }),
  )

const entry = (file: DataFile, at: number, status: ManifestEntry['status']): ManifestEntry => {
  const sequence = status === 'added' ? undefined : BigInt(at)
  return { status, snapshotId: BigInt(at), sequenceNumber: sequence, fileSequenceNumber: sequence, file }
}

/** A manifest of ours as another writer may lay it out. */
function relaid(
  bytes: Uint8Array,
  change: (schema: JsonValue) => JsonValue,
  records?: (row: object) => object,
): Uint8Array {
  const avro = readAvroFile(bytes)
  const metadata = Object.fromEntries([...avro.metadata].filter(([key]) => !key.startsWith('avro.')))
  return writeAvroFile({
    schema: change(avro.schema),
    metadata,
    records: avro.records.map((row) => records?.(row) ?? row),
    blockBytes: 300,
  })
}

const jsonText = (schema: JsonValue, change: (text: string) => string): JsonValue =>
  JSON.parse(change(JSON.stringify(schema))) as JsonValue

describe('an index', () => {
  const files = types[0]![1].map((_, row) =>
    dataFile(
      identities,
      types.map(([, values]) => values[row] ?? null),
      `f${row}`,
    ),
  )
  const written = writeManifest({
    path,
    spec: identities,
    schema,
    entries: Array.from({ length: 200 }, (_, at) =>
      entry(files[at % files.length]!, at, (['added', 'existing', 'deleted'] as const)[at % 3]!),
    ),
    snapshotId: 2n ** 62n + 1n,
    sequenceNumber: 2n ** 55n + 1n,
  })

  it('holds the live files of a manifest, twice asked for the same', () => {
    const index = indexOf(written.bytes, written.manifest, identities)
    const expected = asRead(written.bytes, written.manifest, identities)
    expect(expected).toHaveLength(134)
    expect(filesIn(index, identities).map(plain)).toEqual(expected)
    index.settle()
    expect(filesIn(index, identities).map(plain)).toEqual(expected)
    expect(index.sizeBytes).toBeGreaterThan(134 * 16)
  })

  it('holds what any writer has written, blocks, names, order and unions of its own', () => {
    const reordered = (json: JsonValue): JsonValue =>
      Array.isArray(json)
        ? json.map(reordered).reverse()
        : typeof json !== 'object' || json === null
          ? json
          : Object.fromEntries(Object.entries(json).map(([key, value]) => [key, reordered(value)]))
    const layouts: readonly ((schema: JsonValue) => JsonValue)[] = [
      (json) => json,
      // The null branch, and the value of a pair, first or last.
      reordered,
      (json) => jsonText(json, (text) => text.replaceAll('"type":"int"', '"type":"long"')),
    ]
    for (const layout of layouts) {
      const bytes = relaid(written.bytes, layout)
      const expected = asRead(bytes, written.manifest, identities)
      const index = indexOf(bytes, written.manifest, identities)
      index.settle()
      expect(filesIn(index, identities).map(plain)).toEqual(expected)
    }
  })

  it('counts row ids on through files that have none of their own', () => {
    const manifest = { ...written.manifest, firstRowId: 1000n }
    const expected = asRead(written.bytes, manifest, identities)
    const index = indexOf(written.bytes, manifest, identities)
    expect(filesIn(index, identities).map(({ file }) => file.firstRowId)).toEqual(
      expected.map(({ file }) => file.firstRowId),
    )
    index.settle()
    const again = filesIn(index, identities)
    expect(again[1]!.file.firstRowId).toBe(1000n + files[0]!.recordCount)
  })

  it('refuses what a manifest is refused for, and says which', () => {
    const refused: readonly (readonly [change: object, code: string])[] = [
      [{ file_format: 'ORC' }, 'FILE_FORMAT'],
      [{ key_metadata: new Uint8Array(1) }, 'ENCRYPTION'],
      [{ content: 1 }, 'MANIFEST_CONTENT'],
    ]
    for (const [change, code] of refused) {
      const bytes = relaid(
        written.bytes,
        (json) => json,
        (row) => {
          return { ...row, data_file: { ...(row as { data_file: object }).data_file, ...change } }
        },
      )
      const message = code === 'MANIFEST_CONTENT' ? expect.stringContaining(path) : expect.any(String)
      expect(() => indexOf(bytes, written.manifest, identities)).toThrow(expect.objectContaining({ code, message }))
    }
    const odd = relaid(
      written.bytes,
      (json) => json,
      (row) => ({ ...row, status: 3 }),
    )
    expect(() => indexOf(odd, written.manifest, identities)).toThrow(
      expect.objectContaining({ code: 'MANIFEST_STATUS', message: expect.stringContaining(path) }),
    )
  })

  it('of bytes that somebody changed says what a reading of all of it says', () => {
    const plainBytes = writeManifest({
      path,
      spec: unpartitioned,
      schema,
      entries: [entry(dataFile(unpartitioned, []), 1, 'added'), entry(dataFile(unpartitioned, [], 'b'), 2, 'existing')],
      snapshotId: 1n,
      sequenceNumber: 1n,
      codec: 'null',
    })
    const outcome = (work: () => IndexedFile[]): unknown => {
      try {
        return work()
      } catch (error) {
        if (!isMoulinError(error)) throw error
        return 'refused'
      }
    }
    const change = fc.tuple(fc.nat(plainBytes.bytes.length - 1), fc.nat(255))
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
        const bytes = plainBytes.bytes.slice()
        for (const [at, value] of changes) bytes[at] = value
        const read = outcome(() => asRead(bytes, plainBytes.manifest, unpartitioned))
        const found = outcome(() => {
          const index = indexOf(bytes, plainBytes.manifest, unpartitioned)
          index.settle()
          return filesIn(index, unpartitioned).map(plain)
        })
        // A count or bound that is none may go unseen until somebody asks for it.
        if (read !== 'refused') expect(found).toEqual(read)
      }),
      { numRuns: 2000 * runs },
    )
  })

  it('leaves out only files that cannot match, zone by zone and as a whole', () => {
    const spec = bindPartitionSpec({ 'spec-id': 0, fields: [] }, [testSchema])
    const fileOf = (rows: readonly Row[], at: number): DataFile => ({
      ...dataFile(spec, [], `f${at}`),
      recordCount: BigInt(rows.length),
      ...dataFileMetrics(testSchema, metricsFrom(rows)),
    })
    const tests = focusArbitrary.chain((focus) => fc.array(expressionArbitrary(focus), { minLength: 5, maxLength: 5 }))
    fc.assert(
      fc.property(
        fc.array(rowsArbitrary, { minLength: 1, maxLength: 5 }),
        fc.nat(200),
        tests,
        (kinds, count, expressions) => {
          // Zones of one kind, and one of several.
          const files = Array.from({ length: count }, (_, at) => fileOf(kinds[Math.floor(at / 70) % kinds.length]!, at))
          const entries = files.map((file, at) => entry(file, at, 'existing'))
          const request = { path, spec, schema: testSchema, entries, snapshotId: 1n, sequenceNumber: 1n }
          const { bytes, manifest } = writeManifest(request)
          const index = indexOf(bytes, manifest, spec)
          index.settle()
          for (const expression of expressions) {
            const predicate = bindExpression(toExpression(expression), testSchema.fields)
            const expected = asRead(bytes, manifest, spec).filter(({ file }) => metricsMightMatch(predicate, file))
            expect([...index.matching(predicate, all, spec)].map(plain)).toEqual(expected)
            if (!factsMightMatch(predicate, index.facts(predicate, spec))) expect(expected).toEqual([])
          }
        },
      ),
      { numRuns: 25 * runs },
    )
  })
})
