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

/** The next rows from `from` on, few enough to hold, and the offset up to which there are no others. */
export async function nextPlaces(
  plan: ColdPlan,
  from: bigint,
  to: bigint,
  window: { readonly bytes: number; readonly rows: number },
  rowsOf: (group: PlannedGroup) => Promise<PartitionRows>,
): Promise<{ readonly places: Places; readonly end: bigint }> {
  let end = to
  let places = noPlaces
  for (const [index, group] of plan.groups.entries()) {
    if (group.max < from) continue
    // Sorted by their least offset: what begins behind the window has nothing in it.
    if (group.min >= end) break
    const rows = await rowsOf(group)
    const most = rowsIn(group, window)
    const first = rows.lowerBound(from)
    const last = Math.min(rows.lowerBound(end), first + 2 * most + 1)
    if (last <= first) continue
    places = merged(places, rows, first, last, index)
    if (places.length > most) {
      end = places.offsets[most]!
      places = until(places, end)
    }
  }
  return { places: withoutRepeats(places), end }
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

// One offset, one record: a row that SQL copied is told by the audit, and read once.
function withoutRepeats(places: Places): Places {
  const { offsets, length } = places
  const kept = new Int32Array(length)
  let count = 0
  const halves = new Int32Array(offsets.buffer, offsets.byteOffset, length * 2)
  for (let at = 0; at < length; at++) {
    const isRepeat = at > 0 && halves[at * 2] === halves[at * 2 - 2] && halves[at * 2 + 1] === halves[at * 2 - 1]
    if (!isRepeat) kept[count++] = at
  }
  return count === length ? places : picked(places, kept.subarray(0, count))
}
