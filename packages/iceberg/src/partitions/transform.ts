import { invalid, typeName, unsupported, type IcebergType } from '@moulin/core'
import { bigIntBytes, bigIntWidth, civilDate } from '@moulin/format'
import { copyOf, type PartitionValue } from '../values/datum.ts'
import { murmur3, murmur3Long } from '../values/murmur3.ts'
import { primitiveOf, type PrimitiveKind, type PrimitiveType } from '../values/primitive-type.ts'

/** How a partition field's value follows from a column's. Spec: "Partition Transforms". */
export interface Transform {
  /** As Iceberg writes it, e.g. `bucket[16]`. */
  readonly name: string
  readonly kind: TransformKind
  /** Buckets of bucket, width of truncate, else 0. */
  readonly width: number
}

export type TransformKind = 'identity' | 'bucket' | 'truncate' | 'year' | 'month' | 'day' | 'hour' | 'void'

const plainKinds = new Set<string>(['identity', 'year', 'month', 'day', 'hour', 'void'])
const sized = /^(bucket|truncate)\[(\d{1,10})\]$/

/** @throws `unsupported` naming an unknown transform; `invalid` for a width or number of buckets out of range. */
export function parseTransform(text: string): Transform {
  if (plainKinds.has(text)) return { name: text, kind: text as TransformKind, width: 0 }
  const match = sized.exec(text)
  if (match === null) {
    throw unsupported(
      'TRANSFORM',
      `The partition transform ${text} is not supported; identity, bucket[N], truncate[W], year, month, day, hour and void are.`,
      { context: { transform: text } },
    )
  }
  const width = Number(match[2])
  if (width < 1 || width > 0x7fffffff)
    throw invalid('PARTITION_SPEC', `The transform ${text} needs a number of 1 to 2147483647.`)
  return { name: text, kind: match[1] as TransformKind, width }
}

const times: PrimitiveKind[] = ['timestamp', 'timestamptz', 'timestamp_ns', 'timestamptz_ns']
const dates: PrimitiveKind[] = ['date', ...times]
const sources: Readonly<Record<Exclude<TransformKind, 'identity' | 'void'>, ReadonlySet<PrimitiveKind>>> = {
  bucket: new Set([...dates, 'int', 'long', 'decimal', 'time', 'string', 'uuid', 'fixed', 'binary']),
  truncate: new Set<PrimitiveKind>(['int', 'long', 'decimal', 'string', 'binary']),
  year: new Set(dates),
  month: new Set(dates),
  day: new Set(dates),
  hour: new Set(times),
}

/**
 * Type of the partition field that a transform makes of a column of type `source`.
 * @throws `invalid` when the transform does not take such a column.
 */
export function transformResultType(transform: Transform, source: IcebergType): IcebergType {
  const type = primitiveOf(source)
  const { kind } = transform
  if (type === undefined || (kind !== 'identity' && kind !== 'void' && !sources[kind].has(type.kind))) {
    throw invalid(
      'PARTITION_SPEC',
      `The transform ${transform.name} does not take a column of type ${typeName(source)}.`,
    )
  }
  return kind === 'identity' || kind === 'truncate' || kind === 'void' ? source : 'int'
}

/** A transform of values of one type. */
export type ValueTransform = (value: PartitionValue) => PartitionValue

/**
 * The transform over single values of a column of type `source`; {@link columnTransformer} is the fast form.
 * @throws `invalid` when the transform does not take such a column.
 */
export function valueTransform(transform: Transform, source: IcebergType): ValueTransform {
  transformResultType(transform, source)
  const type = primitiveOf(source)!
  const apply = present(transform, type)
  return (value) => (value === null ? null : apply(value))
}

type Present = Exclude<PartitionValue, null>

function present({ kind, width }: Transform, type: PrimitiveType): (value: Present) => PartitionValue {
  switch (kind) {
    case 'identity':
      return (value) => value
    case 'void':
      return () => null
    case 'bucket':
      return (value) => bucketOf(hashOf(value, type), width)
    case 'truncate':
      return (value) => truncated(value, width, type)
    case 'year':
      return (value) => civilDate(daysIn(value, type)).year - 1970
    case 'month':
      return (value) => monthsOf(daysIn(value, type))
    case 'day':
      return (value) => daysIn(value, type)
    case 'hour':
      return (value) => clampInt(Number(floorDivide(microsOf(value as bigint, type), MICROS_PER_HOUR)))
  }
}

const MICROS_PER_HOUR = 3_600_000_000n
const MICROS_PER_DAY = 86_400_000_000n
const encoder = new TextEncoder()

function daysIn(value: Present, type: PrimitiveType): number {
  return typeof value === 'bigint' ? Number(floorDivide(microsOf(value, type), MICROS_PER_DAY)) : (value as number)
}

/** Of a timestamp; what is finer says nothing to a transform. */
function microsOf(value: bigint, { kind }: PrimitiveType): bigint {
  return kind === 'timestamp_ns' || kind === 'timestamptz_ns' ? floorDivide(value, 1000n) : value
}

/** Hours beyond year 246 953 have no room in an int: they share the last one, which keeps the order. */
export function clampInt(value: number): number {
  return Math.min(Math.max(value, -0x80000000), 0x7fffffff)
}

/** Discards the sign bit of the hash rather than taking its absolute value. */
export function bucketOf(hash: number, buckets: number): number {
  return (hash & 0x7fffffff) % buckets
}

function hashOf(value: Present, type: PrimitiveType): number {
  switch (typeof value) {
    case 'number':
      return murmur3Long(value < 0 ? -1 : 0, value)
    case 'bigint':
      if (type.kind === 'decimal') return murmur3(bigIntBytes(value, bigIntWidth(value)))
      return hashOfLong(microsOf(value, type))
    case 'string':
      return murmur3(encoder.encode(value))
    default:
      return murmur3(value as Uint8Array)
  }
}

function hashOfLong(value: bigint): number {
  return murmur3Long(Number(BigInt.asIntN(32, value >> 32n)), Number(BigInt.asIntN(32, value)))
}

/**
 * The largest multiple of `width` at or below the number, or the first `width` code points or bytes. Where that multiple
 * has no room in the type (near the smallest int), the smallest number that has: the order must not break, or pruning
 * would lose rows.
 */
export function truncated(value: Present, width: number, type: PrimitiveType): PartitionValue {
  switch (typeof value) {
    case 'number':
      return clampInt(Math.floor(value / width) * width)
    case 'bigint': {
      const multiple = floorDivide(value, BigInt(width)) * BigInt(width)
      const least = -(1n << BigInt(8 * (type.kind === 'decimal' ? type.width : 8) - 1))
      return multiple < least ? least : multiple
    }
    case 'string':
      return value.slice(0, codePointEnd(value, width))
    default:
      return copyOf(value as Uint8Array, 0, width)
  }
}

/** Where the first `count` code points end. */
export function codePointEnd(text: string, count: number): number {
  if (text.length <= count) return text.length
  let end = 0
  for (let taken = 0; taken < count && end < text.length; taken++) end += text.codePointAt(end)! > 0xffff ? 2 : 1
  return end
}

function floorDivide(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor
  return value % divisor < 0n ? quotient - 1n : quotient
}

/** Months since 1970-01. */
function monthsOf(days: number): number {
  const { year, month } = civilDate(days)
  return (year - 1970) * 12 + month - 1
}
