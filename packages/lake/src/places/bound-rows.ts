import { throwIfAborted } from '@moulin/core'
import type { CallOptions } from '@moulin/core'
import { BatchFramer } from '@moulin/format'
import { recordPlace } from '../replay/cold-plan.ts'
import type { ColdPlan } from '../replay/cold-plan.ts'
import { readRows } from '../replay/cold-rows.ts'
import type { ColdRowsParts } from '../replay/cold-rows.ts'
import { rowsIn, windowRows } from '../replay/cold-window.ts'
import type { Places } from '../replay/cold-window.ts'
import type { RecordDecoder } from '../replay/record-decoder.ts'
import { placeCrc } from '../replay/record-runs.ts'

/** Of rows that are framed and not yet compared. */
const FRAMED_BYTES = 1024 * 1024

/**
 * Which of these rows (positions in `places`, rising) have a checksum that binds what is in them to their place. They are read as a
 * whole, a window of a row group at a time.
 */
export async function boundRows(
  parts: ColdRowsParts & { readonly windowBytes: number },
  plan: ColdPlan,
  places: Places,
  members: readonly number[],
  call: CallOptions,
): Promise<ReadonlySet<number>> {
  const check = new BoundCheck(plan, places)
  const byGroup = Map.groupBy(members, (at) => places.groups[at]!)
  for (const [index, all] of byGroup) {
    const group = plan.groups[index]!
    const size = rowsIn(group, { bytes: parts.windowBytes, rows: windowRows.most })
    for (let start = 0; start < all.length; start += size) {
      throwIfAborted(call.signal)
      const some = all.slice(start, start + size)
      const wanted = Int32Array.from(some, (at) => places.rows[at]!)
      const { decoders, rows } = await readRows(parts, group.file, group.rowGroup, wanted, plan.state.columns, call)
      some.forEach((at, order) => check.add(at, decoders[order]!, rows[order]!))
      check.judge()
    }
  }
  return check.bound
}

class BoundCheck {
  readonly bound = new Set<number>()
  readonly #plan: ColdPlan
  readonly #places: Places
  readonly #framer = new BatchFramer()
  readonly #framed: { readonly at: number; readonly decoder: RecordDecoder; readonly row: number; sum: number }[] = []

  constructor(plan: ColdPlan, places: Places) {
    this.#plan = plan
    this.#places = places
  }

  // Only the part of a record is looked at that its checksum covers: all of them may share one batch.
  add(at: number, decoder: RecordDecoder, row: number): void {
    const framer = this.#framer
    if (this.#framed.length === 0) {
      const zero = { offsetHigh: 0, offsetLow: 0, timestampHigh: 0, timestampLow: 0 }
      framer.beginBatch({ ...zero, timestampType: 'create' })
    }
    decoder.frameAlone(row, framer)
    decoder.readTimestamp(row)
    const offset = this.#places.offsets[at]!
    const [high, low] = [Number(BigInt.asIntN(32, offset >> 32n)), Number(BigInt.asIntN(32, offset))]
    this.#framed.push({ at, decoder, row, sum: placeCrc(decoder, row, recordPlace(this.#plan, offset), high, low) })
    if (framer.position >= FRAMED_BYTES) this.judge()
  }

  judge(): void {
    const sums = Int32Array.from(this.#framed, ({ sum }) => sum)
    this.#framer.recordCrcs(sums, 0)
    this.#framed.forEach(({ at, decoder, row }, index) => {
      if (decoder.matches(row, sums[index]!)) this.bound.add(at)
    })
    this.#framed.length = 0
    this.#framer.reset()
  }
}
