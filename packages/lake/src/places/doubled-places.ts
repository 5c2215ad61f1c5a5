import { throwIfAborted } from '@moulin/core'
import type { CallOptions } from '@moulin/core'
import type { LiveFile } from '@moulin/iceberg'
import type { GroupClaims, PlaceSpan } from './claimed-places.ts'
import { readIdentities } from './identity-rows.ts'
import { placeOf } from './place.ts'
import { PlaceMarks } from './place-marks.ts'
import type { TableColumns } from '../table/table-layout.ts'

/** A row group, and the places that its rows say they have. */
export interface ClaimingGroup {
  readonly file: LiveFile
  readonly rowGroup: number
  readonly claims: GroupClaims
}

/** Places of one (incarnation, partition), rising, each with several rows. */
export interface DoubledPlaces {
  readonly incarnation: number
  readonly partition: number
  readonly offsets: readonly bigint[]
}

interface MarkedSpan {
  readonly span: PlaceSpan
  readonly marks: PlaceMarks
}

/** Offsets that are looked at together: two bits each, so 16 MiB. */
const MARKED_PLACES = 2 ** 26
/** Doubled places given together. */
const PLACES_AT_ONCE = 65_536

/** The places within these spans (rising and apart) that have several rows. Reads the identities that claims do not tell. */
export async function* doubledPlaces(
  groups: readonly ClaimingGroup[],
  spans: readonly PlaceSpan[],
  columns: TableColumns,
  call: CallOptions,
): AsyncGenerator<DoubledPlaces> {
  for (const slice of slices(spans)) {
    const all = slice.map((span) => ({ span, marks: new PlaceMarks(span.from, span.to) }))
    await mark(groups, all, columns, call)
    for (const { span, marks } of all) {
      for (const offsets of inBatches(marks.doubled(), PLACES_AT_ONCE)) yield { ...span, offsets }
    }
  }
}

async function mark(
  groups: readonly ClaimingGroup[],
  all: readonly MarkedSpan[],
  columns: TableColumns,
  call: CallOptions,
): Promise<void> {
  const byPlace = Map.groupBy(all, ({ span }) => placeOf(span.incarnation, span.partition))
  for (const { file, rowGroup, claims } of groups) {
    throwIfAborted(call.signal)
    const touched = claims.spans.flatMap((claim) =>
      (byPlace.get(placeOf(claim.incarnation, claim.partition)) ?? [])
        .filter(({ span }) => span.from < claim.to && claim.from < span.to)
        .map(({ marks }) => ({ claim, marks })),
    )
    if (touched.length === 0) continue
    if (claims.isExact && !claims.repeats) {
      for (const { claim, marks } of touched) marks.addRange(claim.from, claim.to)
      continue
    }
    const rows = await readIdentities(file, rowGroup, columns, call)
    let incarnation = -1
    let partition = -1
    let there: readonly MarkedSpan[] | undefined
    for (let row = 0; row < rows.length; row++) {
      if (!rows.isKnown(row)) continue
      // Mostly as in the row before.
      if (rows.incarnation(row) !== incarnation || rows.partition(row) !== partition) {
        incarnation = rows.incarnation(row)
        partition = rows.partition(row)
        there = byPlace.get(placeOf(incarnation, partition))
      }
      if (there !== undefined) markedAt(there, rows.offset(row))?.add(rows.offset(row))
    }
  }
}

/** Of rising marks the last that does not begin behind the offset. */
function markedAt(all: readonly MarkedSpan[], offset: bigint): PlaceMarks | undefined {
  let low = 0
  let high = all.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (all[middle]!.marks.from <= offset) low = middle + 1
    else high = middle
  }
  return all[low - 1]?.marks
}

/** Spans cut and put together so that their marks are few enough to hold. */
function* slices(spans: readonly PlaceSpan[]): Generator<PlaceSpan[]> {
  let slice: PlaceSpan[] = []
  let room = MARKED_PLACES
  for (const span of spans) {
    for (let from = span.from; from < span.to;) {
      const to = span.to - from > BigInt(room) ? from + BigInt(room) : span.to
      slice.push({ ...span, from, to })
      room -= Number(to - from)
      from = to
      if (room > 0) continue
      yield slice
      slice = []
      room = MARKED_PLACES
    }
  }
  if (slice.length > 0) yield slice
}

function* inBatches(offsets: Iterable<bigint>, size: number): Generator<bigint[]> {
  let batch: bigint[] = []
  for (const offset of offsets) {
    batch.push(offset)
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
