import { isUnreadable } from '@moulin/core'
import { singleValueIn } from '@moulin/iceberg'
import type { DataFile } from '@moulin/iceberg'
import { isOverwritten } from '../live/data-files.ts'
import type { LedgerEntry } from '../table/ledger.ts'
import type { OffsetRange } from '../encode/row-builder.ts'
import type { TableColumns } from '../table/table-layout.ts'

/**
 * Files of the table that are not there, or that our reader cannot open: data files, manifests and the manifest list, by
 * location, each with the reason. A set never changes: a look at the files makes another one.
 */
export type MissingFiles = ReadonlyMap<string, string>

export const noneMissing: MissingFiles = new Map()

/** Whether a look at the files may tell more of the error: what is missing or damaged then has its write-ahead copy. */
export function asksForLook(error: unknown): boolean {
  return isUnreadable(error) || isOverwritten(error)
}

/** What a manifest says of the places of a file's rows, inclusive; a bound that it does not tell is undefined. */
export interface PlacesIn {
  readonly partition: Bounds
  readonly offset: Bounds
  readonly incarnation: Bounds
}

interface Bounds {
  readonly min: bigint | undefined
  readonly max: bigint | undefined
}

const unbounded: Bounds = { min: undefined, max: undefined }
/** Of files that nobody knows anything of. */
export const anywhere: PlacesIn = { partition: unbounded, offset: unbounded, incarnation: unbounded }

/** Undefined: no row of the file has a place. */
export function placesIn(file: DataFile, { byName }: TableColumns): PlacesIn | undefined {
  const names = ['_kafka_partition', '_kafka_offset', '_kafka_incarnation'] as const
  const [partition, offset, incarnation] = names.map((name) => {
    const { id, type } = byName.get(name)!
    if (file.nullValueCounts.get(id) === file.recordCount) return undefined
    const value = (bytes: Uint8Array | undefined): bigint | undefined => {
      const bound = bytes === undefined ? undefined : singleValueIn(type, bytes)
      return bound === undefined ? undefined : BigInt(bound as number | bigint)
    }
    const [min, max] = [value(file.lowerBounds.get(id)), value(file.upperBounds.get(id))]
    // Bounds that contradict each other say nothing.
    return min !== undefined && max !== undefined && min > max ? unbounded : { min, max }
  })
  if (partition === undefined || offset === undefined || incarnation === undefined) return undefined
  return { partition, offset, incarnation }
}

/** The part of an entry's offsets in the range that rows at these places may have; undefined: none. */
export function meeting(
  places: PlacesIn,
  { incarnation, partition, start, frontier, rows }: LedgerEntry,
  { from, to }: OffsetRange,
): OffsetRange | undefined {
  if (rows === 0n || !holds(places.incarnation, BigInt(incarnation))) return undefined
  if (!holds(places.partition, BigInt(partition))) return undefined
  const { min = start, max = frontier } = places.offset
  const range = { from: highest(min, start, from), to: lowest(max + 1n, frontier, to) }
  return range.from < range.to ? range : undefined
}

/** Whether rows at these places may have offsets of one of the partitions from there on, in this incarnation. */
export function reaches(places: PlacesIn, incarnation: number, from: readonly bigint[]): boolean {
  const { max } = places.offset
  if (!holds(places.incarnation, BigInt(incarnation))) return false
  return partitionsOf(places, from.length).some((partition) => max === undefined || max >= from[partition]!)
}

/** Of `count` partitions those that rows at these places may have. */
export function partitionsOf({ partition: { min, max } }: PlacesIn, count: number): number[] {
  const first = Number(highest(min ?? 0n, 0n))
  const last = Number(lowest(max ?? BigInt(count), BigInt(count - 1)))
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, at) => first + at)
}

const holds = ({ min, max }: Bounds, value: bigint): boolean =>
  (min === undefined || min <= value) && (max === undefined || value <= max)

/** The same offsets in rising ranges that do not touch. */
export function united(ranges: readonly OffsetRange[]): OffsetRange[] {
  const all: { from: bigint; to: bigint }[] = []
  for (const { from, to } of ranges.toSorted((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0))) {
    const last = all.at(-1)
    if (last === undefined || from > last.to) all.push({ from, to })
    else if (to > last.to) last.to = to
  }
  return all
}

export function highest<T extends bigint | number>(first: T, ...others: readonly T[]): T {
  return others.reduce((a, b) => (b > a ? b : a), first)
}

export function lowest(first: bigint, ...others: readonly bigint[]): bigint {
  return others.reduce((a, b) => (b < a ? b : a), first)
}
