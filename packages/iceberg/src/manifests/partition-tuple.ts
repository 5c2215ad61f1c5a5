import { assert, corrupt } from '@moulin/core'
import { bigIntBytes, bigIntOf, topBitsAt } from '@moulin/format'
import { asInt, asLong, optionalAt, type AvroRow, type RecordShape } from './avro-records.ts'
import type { PartitionSummary } from './data-file.ts'
import { compareDatum, datumOf, type Datum, type PartitionValue } from '../values/datum.ts'
import { avroName, writtenType } from './manifest-schema.ts'
import type { BoundPartitionSpec } from '../partitions/partition-fields.ts'
import { primitiveOf, type PrimitiveType } from '../values/primitive-type.ts'
import { encodeDatum } from '../values/single-value.ts'
import { isOrderedAlike } from '../values/uuid-order.ts'

/** A partition tuple as a record of a manifest's Avro schema. */
export function partitionToAvro(values: readonly PartitionValue[], spec: BoundPartitionSpec): object {
  assert(values.length === spec.fields.length, `a tuple of spec ${spec.specId} has ${spec.fields.length} values`)
  const row = Object.create(null) as Record<string, unknown>
  spec.fields.forEach((field, position) => {
    const value = values[position]!
    const type = writtenType(field)
    row[avroName(field.name)] =
      type.kind === 'decimal' && typeof value === 'bigint' ? bigIntBytes(value, type.width) : value
  })
  return row
}

/** The inverse; the types are the spec's of today, so an int of a column that is now a long is a bigint. */
export function partitionFromAvro(row: AvroRow, shape: RecordShape, spec: BoundPartitionSpec): PartitionValue[] {
  return spec.fields.map(({ fieldId, name, resultType }) => {
    const raw = optionalAt(shape, row, fieldId)
    if (raw === undefined) return null
    const type = resultType === undefined ? undefined : primitiveOf(resultType)
    const value = type === undefined ? asStored(raw) : partitionValueAs(raw, type)
    if (value !== undefined) return value
    const kind = type === undefined ? 'single value' : type.kind
    throw corrupt('PARTITION_VALUE', `${shape.what} has a ${name} that is no ${kind}.`, { context: { name } })
  })
}

function asStored(raw: unknown): PartitionValue | undefined {
  const isOne = ['boolean', 'number', 'bigint', 'string'].includes(typeof raw) || raw instanceof Uint8Array
  return isOne ? (raw as PartitionValue) : undefined
}

/**
 * A partition value as one of this type: what a manifest has, or what was made of that before the column was promoted. Undefined for what
 * is no value of the type.
 * Spec: "Schema Evolution".
 */
export function partitionValueAs(raw: unknown, type: PrimitiveType): Exclude<PartitionValue, null> | undefined {
  switch (type.kind) {
    case 'boolean':
      return typeof raw === 'boolean' ? raw : undefined
    case 'int':
    case 'date':
      return asInt(raw)
    case 'long':
    case 'time':
    case 'timestamptz':
    case 'timestamptz_ns':
      return asLong(raw)
    case 'timestamp':
      return timeOf(raw, MICROS_PER_DAY)
    case 'timestamp_ns':
      return timeOf(raw, MICROS_PER_DAY * 1000n)
    case 'float':
    case 'double':
      return typeof raw === 'number' ? raw : undefined
    case 'decimal':
      if (typeof raw === 'bigint') return raw
      return raw instanceof Uint8Array && raw.length > 0 ? bigIntOf(raw, 0, raw.length) : undefined
    case 'string':
      return typeof raw === 'string' ? raw : undefined
    case 'uuid':
    case 'fixed':
      return raw instanceof Uint8Array && raw.length === type.width ? raw : undefined
    case 'binary':
      return raw instanceof Uint8Array ? raw : undefined
  }
}

const MICROS_PER_DAY = 86_400_000_000n

/** What Avro has as an int is a date, of before the column was promoted. */
function timeOf(raw: unknown, perDay: bigint): bigint | undefined {
  if (typeof raw !== 'number') return asLong(raw)
  const day = asInt(raw)
  const time = day === undefined ? undefined : BigInt(day) * perDay
  return time === undefined || BigInt.asIntN(64, time) !== time ? undefined : time
}

/** One summary per field over the tuples of a manifest. Spec: "Manifest lists", `field_summary`. */
export function partitionSummaries(
  tuples: readonly (readonly PartitionValue[])[],
  spec: BoundPartitionSpec,
): PartitionSummary[] {
  return spec.fields.map((field, position) =>
    summaryOf(
      tuples.map((tuple) => tuple[position] ?? null),
      writtenType(field),
    ),
  )
}

function summaryOf(values: readonly PartitionValue[], type: PrimitiveType): PartitionSummary {
  let lower: Datum | undefined
  let upper: Datum | undefined
  let containsNan = false
  let topBits = 0
  for (const value of values) {
    if (value === null) continue
    if (Number.isNaN(value)) {
      containsNan = true
      continue
    }
    const datum = datumOf(value)
    if (type.kind === 'uuid') topBits |= topBitsAt(datum as Uint8Array, 0)
    if (lower === undefined || compareDatum(datum, lower) < 0) lower = datum
    if (upper === undefined || compareDatum(datum, upper) > 0) upper = datum
  }
  if (type.kind === 'uuid' && !isOrderedAlike(topBits)) lower = upper = undefined
  return {
    containsNull: values.includes(null),
    containsNan,
    lowerBound: encodeBound(lower, type, -0),
    upperBound: encodeBound(upper, type, 0),
  }
}

/** Zeros compare equal but have two signs: the lower bound takes −0 and the upper +0, so that both lie within. */
export function encodeBound(bound: Datum | undefined, type: PrimitiveType, zero: number): Uint8Array | undefined {
  if (bound === undefined) return undefined
  const isFloatZero = bound === 0 && (type.kind === 'float' || type.kind === 'double')
  return encodeDatum(type, isFloatZero ? zero : bound)
}
