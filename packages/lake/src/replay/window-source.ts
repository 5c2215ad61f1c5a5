import type { CallOptions } from '@moulin/core'
import type { ColdPlan, PlannedGroup } from './cold-plan.ts'
import type { WindowSource } from './cold-window.ts'
import type { PartitionRows, RowIndexes } from './row-index.ts'
import type { ReadTally } from './read-tally.ts'
import type { RowPlaces } from '../places/row-places.ts'

export interface WindowSourceParts {
  readonly indexes: RowIndexes
  readonly tally?: ReadTally | undefined
  readonly places: RowPlaces
}

/** What windows of a plan are made of. */
export function windowSource(parts: WindowSourceParts, plan: ColdPlan, call: CallOptions): WindowSource {
  return {
    rowsOf: (group) => rowsOf(parts, plan, group, call),
    lost: (places) => parts.places.lost(plan, places, call),
  }
}

export function rowsOf(
  { indexes, tally }: Pick<WindowSourceParts, 'indexes' | 'tally'>,
  plan: ColdPlan,
  group: PlannedGroup,
  call: CallOptions,
): Promise<PartitionRows> {
  return indexes.rows(group.file, group.rowGroup, plan, plan.state.columns, { ...call, fetched: tally?.fetched })
}
