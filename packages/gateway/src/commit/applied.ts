import { sameInt64 } from '@moulin/core'
import type { Int64, LoadedTable, Snapshot, TableCommit, TableMetadata, TableUpdate } from '@moulin/core'
import { ancestors } from '@moulin/iceberg'

type Of<A extends TableUpdate['action']> = Extract<TableUpdate, { readonly action: A }>

/**
 * Whether commits that are made together, or not at all, have been made: the tables' histories have their snapshots, by id and by the
 * manifests that they name, where refs were to have them. A commit without a snapshot leaves no such trace: it is known by the others.
 */
export function areApplied(tables: readonly (LoadedTable | undefined)[], commits: readonly TableCommit[]): boolean {
  const traces = commits.map(({ updates }, at) => {
    const added = updates.filter((update): update is Of<'add-snapshot'> => update.action === 'add-snapshot')
    return { added, updates, metadata: tables[at]?.metadata }
  })
  const left = traces.filter(({ added }) => added.length > 0)
  return left.length > 0 && left.every((trace) => trace.metadata !== undefined && isIn(trace.metadata, trace))
}

interface Trace {
  readonly added: readonly Of<'add-snapshot'>[]
  readonly updates: readonly TableUpdate[]
}

function isIn(metadata: TableMetadata, { added, updates }: Trace): boolean {
  if (!added.every(({ snapshot }) => has(metadata, snapshot))) return false
  const isAdded = (id: Int64): boolean => added.some(({ snapshot }) => sameInt64(snapshot['snapshot-id'], id))
  return updates
    .filter((update): update is Of<'set-snapshot-ref'> => update.action === 'set-snapshot-ref')
    .every((ref) => !isAdded(ref['snapshot-id']) || wasAt(metadata, ref['ref-name'], ref['snapshot-id']))
}

function has({ snapshots = [] }: TableMetadata, wanted: Snapshot): boolean {
  const found = snapshots.find((snapshot) => sameInt64(snapshot['snapshot-id'], wanted['snapshot-id']))
  return found !== undefined && found['manifest-list'] === wanted['manifest-list']
}

/** Whether the ref names the snapshot, or went on from it; of main, whether it ever was there. */
function wasAt(metadata: TableMetadata, ref: string, id: Int64): boolean {
  const isIt = (entry: { readonly 'snapshot-id': Int64 }): boolean => sameInt64(entry['snapshot-id'], id)
  if (ref === 'main' && (metadata['snapshot-log'] ?? []).some(isIt)) return true
  const refs = metadata.refs ?? {}
  const head = Object.hasOwn(refs, ref) ? refs[ref] : undefined
  return head !== undefined && [...ancestors(metadata, head['snapshot-id'])].some(isIt)
}
