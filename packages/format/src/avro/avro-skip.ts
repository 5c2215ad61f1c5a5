import { minimumBytes, readBlocks, type AvroReader } from './avro-reader.ts'
import type { AvroType } from './avro-schema.ts'

export type AvroSkip = (reader: AvroReader) => void

/** Composes what passes over a value of a schema, looking no further than to where it ends. */
export function avroSkipOf(type: AvroType): AvroSkip {
  return compile(type, new Map())
}

function compile(type: AvroType, seen: Map<AvroType, AvroSkip>): AvroSkip {
  switch (type.type) {
    case 'null':
      return () => undefined
    case 'boolean':
      return (reader) => void reader.take(1)
    case 'int':
    case 'long':
    case 'enum':
      return (reader) => reader.skipVarint()
    case 'float':
      return (reader) => void reader.take(4)
    case 'double':
      return (reader) => void reader.take(8)
    case 'bytes':
    case 'string':
      return (reader) => void reader.take(reader.size())
    case 'fixed':
      return (reader) => void reader.take(type.size)
    case 'array': {
      const item = compile(type.items, seen)
      const itemBytes = minimumBytes(type.items)
      return (reader) => readBlocks(reader, itemBytes, () => item(reader))
    }
    case 'map': {
      const value = compile(type.values, seen)
      return (reader) =>
        readBlocks(reader, 1, () => {
          reader.take(reader.size())
          value(reader)
        })
    }
    case 'union': {
      const branches = type.branches.map((branch) => compile(branch, seen))
      return (reader) => {
        const index = reader.size()
        const branch = branches[index]
        if (branch === undefined) throw reader.fail(`a union of ${branches.length} branches has no branch ${index}`)
        branch(reader)
      }
    }
    case 'record':
      return compileRecord(type, seen)
  }
}

function compileRecord(type: AvroType & { type: 'record' }, seen: Map<AvroType, AvroSkip>): AvroSkip {
  const known = seen.get(type)
  if (known !== undefined) return known
  const fields: AvroSkip[] = []
  const skip: AvroSkip = (reader) => {
    reader.enterRecord()
    for (const field of fields) field(reader)
    reader.depth--
  }
  seen.set(type, skip)
  for (const field of type.fields) fields.push(compile(field.type, seen))
  return skip
}
