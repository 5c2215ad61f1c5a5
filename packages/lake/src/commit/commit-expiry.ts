import type { Catalog, ColdContext, ColdTopicInfo } from '@moulin/core'
import type { AppendRequest } from '@moulin/iceberg'
import { deleteForgotten, forgottenSnapshots, putForgotten } from '../forgotten/forgotten-commit.ts'
import type { ForgottenCommit } from '../forgotten/forgotten-commit.ts'
import { summaryKeys } from '../table/system-columns.ts'
import type { TableState } from '../table/table-state.ts'

/** Snapshots that nobody asks for any more go so many at a time: one record names them all. */
const EXPIRY_BATCH = 16

interface ExpiryParts {
  readonly catalog: Catalog
  readonly info: ColdTopicInfo
  readonly context: ColdContext
}

/**
 * What a commit may forget. Not what somebody still has to find, whatever it takes: the snapshot of the present marker, and
 * those of staged commits whose outcome is not known.
 */
export function expiryOf(
  { loaded, marker }: TableState,
  unsettled: ReadonlySet<string>,
  { catalog, context }: ExpiryParts,
): NonNullable<AppendRequest['expire']> {
  const held = new Set(marker.snapshot === null ? [] : [marker.snapshot])
  for (const { summary, 'snapshot-id': id } of loaded.metadata.snapshots ?? []) {
    if (unsettled.has(summary[summaryKeys.commit] ?? '')) held.add(BigInt(id))
  }
  const maxBytes = Math.min(context.limits.metadataWarnBytes, catalog.metadataWarnBytes ?? Infinity)
  return { held, maxBytes, batch: EXPIRY_BATCH }
}

/** Names what an attempt forgets, before it is sent; what an attempt before it has named does not count any more. */
export async function nameForgotten(
  { info, context }: ExpiryParts,
  { loaded }: TableState,
  written: { readonly id: string; readonly forgets?: ForgottenCommit | undefined },
  snapshotIds: readonly bigint[],
): Promise<ForgottenCommit | undefined> {
  if (snapshotIds.length === 0) {
    if (written.forgets !== undefined) await deleteForgotten(context.store, info.id, written.id)
    return undefined
  }
  const forgets: ForgottenCommit = {
    commit: written.id,
    topic: info.id,
    table: info.table,
    tableUuid: loaded.metadata['table-uuid'],
    timeMs: context.runtime.clock.now(),
    snapshots: forgottenSnapshots(loaded.metadata, snapshotIds),
  }
  await putForgotten(context.store, forgets)
  return forgets
}
