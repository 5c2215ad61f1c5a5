import { corrupt, parseJson, type JsonValue } from '@moulin/core'
import { avroReaderOf, avroTypeOf, minimumBytes, type AvroRead, type AvroReader, type AvroType } from '@moulin/format'
import type { AvroRow, RecordShape } from './avro-records.ts'
import { encodedMapReader } from './encoded-map.ts'
import { dataFileIds, entryIds } from './manifest-schema.ts'
import { shapesOf, type Shapes } from './read-manifest.ts'
import type { BoundPartitionSpec } from '../partitions/partition-fields.ts'

/** How the entries of manifests with one Avro schema are read: of counts and bounds only where they are. */
export interface EntryLayout {
  /** Of {@link AvroRow}s whose values go by position. */
  readonly shapes: Shapes
  /** The fewest that an entry takes. */
  readonly recordBytes: number
  readonly read: (reader: AvroReader) => AvroRow
}

const mapIds: ReadonlySet<number> = new Set([
  dataFileIds.columnSizes,
  dataFileIds.valueCounts,
  dataFileIds.nullValueCounts,
  dataFileIds.nanValueCounts,
  dataFileIds.lowerBounds,
  dataFileIds.upperBounds,
])

/** @throws `corrupt` for a schema of something else. */
export function entryLayout(schemaText: string, what: string, spec: BoundPartitionSpec): EntryLayout {
  const schema: JsonValue = parseJson(schemaText, `The schema of ${what}`)
  const type = avroTypeOf(schema, what)
  const shapes = shapesOf(schema, what, spec)
  const entry = recordOf(type, what)
  const file = recordOf(entry.fields.find(({ name }) => name === shapes.entry.names.get(entryIds.dataFile))?.type, what)
  const fileRead = positional(file, (field) => {
    const isMap = mapIds.has(idOf(shapes.dataFile, field.name))
    return (isMap ? encodedMapReader(field.type) : undefined) ?? avroReaderOf(field.type)
  })
  const read = positional(entry, (field) => (field.type === file ? fileRead : avroReaderOf(field.type)))
  return {
    shapes: { ...shapes, entry: byPosition(shapes.entry, entry), dataFile: byPosition(shapes.dataFile, file) },
    recordBytes: minimumBytes(type),
    read: read as EntryLayout['read'],
  }
}

type RecordType = AvroType & { readonly type: 'record' }

function recordOf(type: AvroType | undefined, what: string): RecordType {
  if (type?.type === 'record') return type
  throw corrupt('AVRO_SHAPE', `${what} has entries or data files that are no records in its Avro schema.`)
}

function idOf({ names }: RecordShape, name: string): number {
  for (const [id, own] of names) if (own === name) return id
  return -1
}

/** A record as the list of its values, which is made and asked faster than an object with names of strangers. */
function positional({ fields }: RecordType, readerOf: (field: RecordType['fields'][number]) => AvroRead): AvroRead {
  const reads = fields.map(readerOf)
  return (reader) => {
    reader.enterRecord()
    const row: unknown[] = []
    for (const read of reads) row.push(read(reader))
    reader.depth--
    return row
  }
}

function byPosition(shape: RecordShape, { fields }: RecordType): RecordShape {
  const positions = new Map(fields.map(({ name }, at) => [name, String(at)]))
  return { ...shape, names: new Map(Array.from(shape.names, ([id, name]) => [id, positions.get(name)!])) }
}
