import { isUtf8 } from 'node:buffer'
import { checkOptions, option } from '@moulin/core'
import type { IcebergField, IcebergSchema } from '@moulin/core'
import type { FieldMetrics } from '@moulin/format'
import type { DataFile } from './data-file.ts'
import { copyOf, type Datum } from '../values/datum.ts'
import { encodeBound } from './partition-tuple.ts'
import { primitiveOf, type PrimitiveType } from '../values/primitive-type.ts'
import { isOrderedAlike } from '../values/uuid-order.ts'

export type DataFileMetrics = Pick<
  DataFile,
  'columnSizes' | 'valueCounts' | 'nullValueCounts' | 'nanValueCounts' | 'lowerBounds' | 'upperBounds'
>

export interface MetricsOptions {
  /** Names of top-level columns whose bounds are kept whole; of all others, at most 16 characters or bytes are. */
  readonly full?: readonly string[]
}

const BOUND_LENGTH = 16

/**
 * What a manifest says of a file, from what its writer counted. Metrics mode `truncate(16)`, or `full` by name; counts and
 * sizes for every leaf; no bounds below a list or map, never a NaN, and none of UUIDs that engines order in two ways.
 * Spec: "Manifests", `data_file`.
 */
export function dataFileMetrics(
  schema: IcebergSchema,
  metrics: ReadonlyMap<number, FieldMetrics>,
  options: MetricsOptions = {},
): DataFileMetrics {
  checkOptions('dataFileMetrics', options, { full: option.listOf(option.text) })
  const full = new Set(options.full ?? [])
  const result = {
    columnSizes: new Map<number, bigint>(),
    valueCounts: new Map<number, bigint>(),
    nullValueCounts: new Map<number, bigint>(),
    nanValueCounts: new Map<number, bigint>(),
    lowerBounds: new Map<number, Uint8Array>(),
    upperBounds: new Map<number, Uint8Array>(),
  }
  for (const [id, field] of metrics) {
    result.columnSizes.set(id, BigInt(field.sizeBytes))
    result.valueCounts.set(id, BigInt(field.valueCount))
    result.nullValueCounts.set(id, BigInt(field.nullCount))
    if (field.nanCount !== undefined) result.nanValueCounts.set(id, BigInt(field.nanCount))
  }
  for (const { field, type, isFull } of boundedLeaves(schema.fields, full)) {
    const { lower, upper, topBits } = metrics.get(field.id) ?? {}
    if (type.kind === 'uuid' && !isOrderedAlike(topBits)) continue
    const least = boundBytes(lower, type, isFull, 'lower')
    const most = boundBytes(upper, type, isFull, 'upper')
    // Copies: the writer's bounds may lie in memory that is used anew.
    if (least !== undefined) result.lowerBounds.set(field.id, copyOf(least, 0, least.length))
    if (most !== undefined) result.upperBounds.set(field.id, copyOf(most, 0, most.length))
  }
  return result
}

interface Leaf {
  readonly field: IcebergField
  readonly type: PrimitiveType
  readonly isFull: boolean
}

function boundedLeaves(fields: readonly IcebergField[], full: ReadonlySet<string>, isFull?: boolean): Leaf[] {
  return fields.flatMap((field) => {
    const whole = isFull ?? full.has(field.name)
    const { type } = field
    if (typeof type === 'object') return type.type === 'struct' ? boundedLeaves(type.fields, full, whole) : []
    return [{ field, type: primitiveOf(type)!, isFull: whole }]
  })
}

function boundBytes(
  bound: Datum | undefined,
  type: PrimitiveType,
  isFull: boolean,
  side: 'lower' | 'upper',
): Uint8Array | undefined {
  if (bound === undefined || Number.isNaN(bound)) return undefined
  const bytes = encodeBound(bound, type, side === 'lower' ? -0 : 0)
  if (bytes === undefined || isFull) return bytes
  switch (type.kind) {
    case 'string':
      return side === 'lower' ? truncateLower(bytes, codePoints) : truncateUpperText(bytes)
    case 'binary':
    case 'fixed':
      return side === 'lower' ? truncateLower(bytes, singleBytes) : truncateUpperBytes(bytes)
    default:
      return bytes
  }
}

/** Where the first 16 units end. */
type UnitEnd = (bytes: Uint8Array) => number

const singleBytes: UnitEnd = (bytes) => Math.min(bytes.length, BOUND_LENGTH)

/** A code point begins at each byte that is no continuation. */
const codePoints: UnitEnd = (bytes) => {
  let begun = 0
  for (let at = 0; at < bytes.length; at++) {
    if ((bytes[at]! & 0xc0) !== 0x80 && ++begun > BOUND_LENGTH) return at
  }
  return bytes.length
}

function truncateLower(bytes: Uint8Array, unitEnd: UnitEnd): Uint8Array {
  return bytes.subarray(0, unitEnd(bytes))
}

/** What is cut off could be anything, so the last byte that can is raised by one; undefined when all are 0xff. */
function truncateUpperBytes(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length <= BOUND_LENGTH) return bytes
  for (let at = BOUND_LENGTH - 1; at >= 0; at--) {
    if (bytes[at] === 0xff) continue
    const raised = copyOf(bytes, 0, at + 1)
    raised[at]!++
    return raised
  }
  return undefined
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const encoder = new TextEncoder()

/** The same by code points, so that the bound stays UTF-8; undefined for bytes that are no text. */
function truncateUpperText(bytes: Uint8Array): Uint8Array | undefined {
  const end = codePoints(bytes)
  if (end === bytes.length) return bytes
  if (!isUtf8(bytes.subarray(0, end))) return undefined
  const kept = Array.from(decoder.decode(bytes.subarray(0, end)), (character) => character.codePointAt(0)!)
  for (let at = kept.length - 1; at >= 0; at--) {
    const raised = nextCodePoint(kept[at]!)
    if (raised !== undefined) return encoder.encode(String.fromCodePoint(...kept.slice(0, at), raised))
  }
  return undefined
}

// The surrogates are no characters.
function nextCodePoint(codePoint: number): number | undefined {
  if (codePoint >= 0x10ffff) return undefined
  return codePoint === 0xd7ff ? 0xe000 : codePoint + 1
}
