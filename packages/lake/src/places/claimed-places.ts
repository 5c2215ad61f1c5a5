import type { CallOptions } from '@moulin/core'
import type { LiveFile } from '@moulin/iceberg'
import { isOwnFile } from '../live/data-files.ts'
import type { TopicIds } from '../live/data-files.ts'
import { readIdentities } from './identity-rows.ts'
import type { IdentityColumns } from './identity-rows.ts'
import { placeOf } from './place.ts'
import { range } from '../replay/row-index.ts'
import type { TableColumns } from '../table/table-layout.ts'

/** Offsets `[from, to)` of one (incarnation, partition). */
export interface PlaceSpan {
  readonly incarnation: number
  readonly partition: number
  readonly from: bigint
  readonly to: bigint
}

/** The places that rows of a row group say they have. */
export interface GroupClaims {
  readonly spans: readonly PlaceSpan[]
  /** Every offset of the spans has a row; otherwise there are none outside of them. */
  readonly isExact: boolean
  /** Several of its rows are at one place. */
  readonly repeats: boolean
}

/** Beyond it, a row group's offsets lie scattered, and only the first and last of each partition are kept. */
const MOST_SPANS = 32

/**
 * What row groups claim, known from the footer of a file of the log's own where a row group has one partition, else from one
 * read of the identity columns, and remembered as long as the file's footer is and the same is deleted in it.
 */
export class ClaimedPlaces {
  readonly #topic: TopicIds
  readonly #known = new WeakMap<LiveFile, Map<number, GroupClaims>>()

  constructor(topic: TopicIds) {
    this.#topic = topic
  }

  async of(file: LiveFile, rowGroup: number, columns: TableColumns, call: CallOptions): Promise<GroupClaims> {
    let ofFile = this.#known.get(file)
    if (ofFile === undefined) this.#known.set(file, (ofFile = new Map<number, GroupClaims>()))
    const known = ofFile.get(rowGroup)
    if (known !== undefined) return known
    const told = isOwnFile(file, this.#topic) ? inFooter(file, rowGroup, columns) : undefined
    const claims = told ?? claimsOf(await readIdentities(file, rowGroup, columns, call))
    ofFile.set(rowGroup, claims)
    return claims
  }
}

function inFooter(file: LiveFile, rowGroup: number, { byName }: TableColumns): GroupClaims | undefined {
  const group = file.rowGroups[rowGroup]!
  const partitions = range(group, byName.get('_kafka_partition')!)
  const incarnations = range(group, byName.get('_kafka_incarnation')!)
  const offsets = range(group, byName.get('_kafka_offset')!)
  if (partitions === undefined || incarnations === undefined || offsets === undefined) return undefined
  if (partitions.min !== partitions.max || incarnations.min !== incarnations.max) return undefined
  const [incarnation, partition] = [Number(incarnations.min), Number(partitions.min)]
  const span = { incarnation, partition, from: offsets.min, to: offsets.max + 1n }
  return { spans: [span], isExact: span.to - span.from === BigInt(group.liveRows), repeats: false }
}

/** Offsets of the rows of one (incarnation, partition). */
interface Claimed {
  readonly incarnation: number
  readonly partition: number
  offsets: BigInt64Array
  length: number
}

/** From the identity columns of all its rows. */
export function claimsOf(rows: IdentityColumns): GroupClaims {
  const spans: PlaceSpan[] = []
  let isExact = true
  let repeats = false
  for (const { incarnation, partition, offsets, length } of byPlace(rows)) {
    const own = offsets.subarray(0, length)
    if (!isRising(own)) own.sort()
    const first = spans.length
    let from = own[0]!
    for (let at = 1; at <= length; at++) {
      const last = own[at - 1]!
      if (at < length && own[at] === last) repeats = true
      if (at < length && own[at]! - last <= 1n) continue
      spans.push({ incarnation, partition, from, to: last + 1n })
      if (at < length) from = own[at]!
      if (spans.length - first <= MOST_SPANS) continue
      // Repeats are looked for to the end.
      for (let rest = at + 1; rest < length; rest++) if (own[rest] === own[rest - 1]) repeats = true
      spans.length = first
      spans.push({ incarnation, partition, from: own[0]!, to: own[length - 1]! + 1n })
      isExact = false
      break
    }
  }
  return { spans, isExact, repeats }
}

function byPlace(rows: IdentityColumns): Iterable<Claimed> {
  const found = new Map<string, Claimed>()
  let last: Claimed | undefined
  for (let row = 0; row < rows.length; row++) {
    if (!rows.isKnown(row)) continue
    const [incarnation, partition] = [rows.incarnation(row), rows.partition(row)]
    if (last?.incarnation !== incarnation || last.partition !== partition) {
      const key = placeOf(incarnation, partition)
      last = found.get(key)
      if (last === undefined) {
        last = { incarnation, partition, offsets: new BigInt64Array(64), length: 0 }
        found.set(key, last)
      }
    }
    if (last.length === last.offsets.length) {
      const grown = new BigInt64Array(last.length * 2)
      grown.set(last.offsets)
      last.offsets = grown
    }
    last.offsets[last.length++] = rows.offset(row)
  }
  return found.values()
}

function isRising(offsets: BigInt64Array): boolean {
  for (let at = 1; at < offsets.length; at++) if (offsets[at]! < offsets[at - 1]!) return false
  return true
}
