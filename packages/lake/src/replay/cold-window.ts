import type { ColdPlan, PlannedGroup } from './cold-plan.ts'
import type { PartitionRows } from './row-index.ts'

/** Where rows are, by rising offset. */
export interface Places {
  readonly length: number
  readonly offsets: BigInt64Array
  /** Position in the plan's groups, and row number within that group. */
  readonly groups: Int32Array
  readonly rows: Int32Array
}

/** A reader who wants little gets his first records soon; one who goes on has few pages decoded for two windows. */
export const windowRows = { first: 4_096, growth: 4, most: 65_536 }

/** Where a window takes its rows from. */
export interface WindowSource {
  rowsOf(group: PlannedGroup): Promise<PartitionRows>
  /** See `RowPlaces.lost`. */
  lost(places: Places): Promise<Uint8Array | undefined>
}

/** The next rows from `from` on, one a place, few enough to hold, and the offset up to which there are no others. */
export async function nextPlaces(
  plan: ColdPlan,
  from: bigint,
  to: bigint,
  window: { readonly bytes: number; readonly rows: number },
  source: WindowSource,
): Promise<{ readonly places: Places; readonly end: bigint }> {
  let end = to
  let places = noPlaces
  for (const [index, group] of plan.groups.entries()) {
    if (group.max < from) continue
    // Sorted by their least offset: what begins behind the window has nothing in it.
    if (group.min >= end) break
    const rows = await source.rowsOf(group)
    const most = rowsIn(group, window)
    const first = rows.lowerBound(from)
    let last = Math.min(rows.lowerBound(end), first + most + 1)
    if (last <= first) continue
    // However many copies a row has, all of the first one are here: the window ends behind them at the earliest.
    if (rows.offset(last - 1) === rows.offset(first)) last = rows.lowerBound(rows.offset(first) + 1n)
    places = merged(places, rows, first, last, index)
    if (places.length > most) {
      const cut = places.offsets[most]!
      end = cut > places.offsets[0]! ? cut : cut + 1n
      places = until(places, end)
    }
  }
  return { places: without(places, await source.lost(places)), end }
}

/** How many rows of the group may be held at once. */
export function rowsIn(
  { file, rowGroup }: Pick<PlannedGroup, 'file' | 'rowGroup'>,
  window: { readonly bytes: number; readonly rows: number },
): number {
  const { rowCount, sizeBytes } = file.rowGroups[rowGroup]!
  // Compressed bytes are told; decoded ones are a few times as many.
  const rowBytes = Math.max(1, (sizeBytes / Math.max(1, rowCount)) * 4)
  return Math.max(1, Math.min(window.rows, Math.floor(window.bytes / rowBytes)))
}

const noPlaces = placesOf(0)

function placesOf(length: number): Places {
  return {
    length,
    offsets: new BigInt64Array(length),
    groups: new Int32Array(length),
    rows: new Int32Array(length),
  }
}

function merged(before: Places, rows: PartitionRows, first: number, last: number, group: number): Places {
  const all = placesOf(before.length + last - first)
  all.offsets.set(before.offsets)
  all.groups.set(before.groups)
  all.rows.set(before.rows)
  rows.copy(first, last, all.offsets, all.rows, before.length)
  all.groups.fill(group, before.length)
  const isBehind = before.length === 0 || before.offsets[before.length - 1]! <= all.offsets[before.length]!
  return isBehind ? all : sorted(all)
}

function sorted(places: Places): Places {
  const { offsets } = places
  const order = Int32Array.from(places.rows, (_, at) => at)
  // The earlier place first where offsets are equal.
  order.sort((a, b) => (offsets[a]! < offsets[b]! ? -1 : offsets[a]! > offsets[b]! ? 1 : a - b))
  return picked(places, order)
}

function picked({ offsets, groups, rows }: Places, order: Int32Array): Places {
  const all = placesOf(order.length)
  order.forEach((at, index) => {
    all.offsets[index] = offsets[at]!
    all.groups[index] = groups[at]!
    all.rows[index] = rows[at]!
  })
  return all
}

function until({ length, offsets, groups, rows }: Places, end: bigint): Places {
  let count = length
  while (count > 0 && offsets[count - 1]! >= end) count--
  return placesWithin({ length, offsets, groups, rows }, 0, count)
}

/** Those in `[start, end)` of the list; the memory is shared. */
export function placesWithin({ offsets, groups, rows }: Places, start: number, end: number): Places {
  return {
    length: end - start,
    offsets: offsets.subarray(start, end),
    groups: groups.subarray(start, end),
    rows: rows.subarray(start, end),
  }
}

function without(places: Places, lost: Uint8Array | undefined): Places {
  if (lost === undefined) return places
  return picked(
    places,
    Int32Array.from({ length: places.length }, (_, at) => at).filter((at) => lost[at] === 0),
  )
}

/** Rows by rising offset; of equal ones in the order given. */
export function placesBy(offsets: BigInt64Array, groups: Int32Array, rows: Int32Array): Places {
  return sorted({ length: offsets.length, offsets, groups, rows })
}
