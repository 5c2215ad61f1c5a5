import { takeRows, unsupported } from '@moulin/core'
import type { Column, IcebergField } from '@moulin/core'
import type { ParquetFile } from '@moulin/format'
import type { ListedFile, PartitionValue } from '@moulin/iceberg'

type Whole = Pick<ParquetFile, 'fields' | 'rowGroups' | 'read' | 'pageBounds' | 'dictionary' | 'mightContain'>

/**
 * The file with the columns that it lacks and whose value its partition tells, as files have them that were added to a table out of Hive's
 * folders. Itself where there are none.
 * @throws `unsupported` code `PARTITION_COLUMN`, while it reads, for such a column of a type that is not made here.
 * Spec: "Column Projection".
 */
export function withPartitionColumns(whole: ParquetFile, { file, spec }: ListedFile): Whole {
  const constants = new Map<number, Exclude<PartitionValue, null>>()
  for (const [at, { sourceId, transform }] of spec.fields.entries()) {
    const value = file.partition[at] ?? null
    if (transform.kind === 'identity' && value !== null && !whole.has(sourceId)) constants.set(sourceId, value)
  }
  if (constants.size === 0) return whole
  const isMade = ({ fieldId }: { readonly fieldId: number }): boolean => constants.has(fieldId)
  return {
    fields: whole.fields,
    // To its footer they are null.
    rowGroups: whole.rowGroups.map((group) => ({
      ...group,
      bounds: (fieldId, type) => (isMade({ fieldId }) ? {} : group.bounds(fieldId, type)),
    })),
    async read(request) {
      const batch = await whole.read(request)
      const made = new Map(
        request.types
          .filter(({ id }) => isMade({ fieldId: id }))
          .map((field) => [field.name, constantColumn(field, constants.get(field.id)!, batch.length)]),
      )
      const columns = batch.columns.map(({ name, column }) => ({ name, column: made.get(name) ?? column }))
      return { ...batch, columns }
    },
    pageBounds: async (request) => (isMade(request) ? undefined : whole.pageBounds(request)),
    dictionary: async (request) => (constants.has(request.field.id) ? undefined : whole.dictionary(request)),
    mightContain: async (request) => isMade(request) || whole.mightContain(request),
  }
}

function constantColumn({ name, type }: IcebergField, value: Exclude<PartitionValue, null>, length: number): Column {
  const column = oneRow(type, value)
  if (column !== undefined) return takeRows(column, new Int32Array(length))
  const message = `Column ${name} is told by the file's partition alone, and is of a type that is not read from there.`
  throw unsupported('PARTITION_COLUMN', message, { context: { column: name } })
}

function oneRow(type: IcebergField['type'], value: Exclude<PartitionValue, null>): Column | undefined {
  const base = { length: 1, validity: undefined }
  if (type === 'string' && typeof value === 'string') {
    const data = new TextEncoder().encode(value)
    return { storage: 'bytes', ...base, data, starts: Int32Array.of(0), ends: Int32Array.of(data.length) }
  }
  if (type === 'boolean' && typeof value === 'boolean')
    return { storage: 'bool', ...base, values: Uint8Array.of(Number(value)) }
  if (typeof value !== 'number' && typeof value !== 'bigint') return undefined
  if (type === 'int' || type === 'date') return { storage: 'int32', ...base, values: Int32Array.of(Number(value)) }
  if (type === 'float') return { storage: 'float32', ...base, values: Float32Array.of(Number(value)) }
  if (type === 'double') return { storage: 'float64', ...base, values: Float64Array.of(Number(value)) }
  if (type === 'long' || (typeof type === 'string' && /^time/.test(type)))
    return { storage: 'int64', ...base, values: BigInt64Array.of(BigInt(value)) }
  return undefined
}
