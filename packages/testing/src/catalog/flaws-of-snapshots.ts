import { invalid, sameInt64 } from '@moulin/core'
import type { LoadedTable, TableMetadata } from '@moulin/core'
import type { Flaws } from './flaws.ts'
import { flaw, ignores, shows, skips, stores, updates } from './flaws.ts'
import { keyOf } from './names-model.ts'

const namedIn = (metadata: TableMetadata, id: unknown): boolean =>
  (metadata.snapshots ?? []).some((snapshot) => sameInt64(snapshot['snapshot-id'], id as bigint))

/** Of snapshots, refs and replaces. */
export const snapshotFlaws: Flaws = {
  'loses-parents': flaw(
    updates((update) => {
      if (update.action !== 'add-snapshot') return update
      const { 'parent-snapshot-id': _, ...snapshot } = update.snapshot
      return { ...update, snapshot }
    }),
    'appends one snapshot after the other',
  ),
  'logs-no-snapshots': flaw(
    shows((metadata) => ({ ...metadata, 'snapshot-log': metadata['snapshot-log']?.slice(-1) ?? [] })),
    'logs each snapshot that became current',
    'keeps the snapshot log of a table that is replaced',
  ),
  'ignores-refs': flaw(
    ignores('assert-ref-snapshot-id'),
    'lets an append that lost go on',
    'fails an append to a table that was replaced meanwhile',
  ),
  'makes-every-snapshot-current': flaw(
    updates((update) =>
      update.action !== 'add-snapshot'
        ? update
        : [
            update,
            {
              action: 'set-snapshot-ref',
              'ref-name': 'main',
              type: 'branch',
              'snapshot-id': update.snapshot['snapshot-id'],
            },
          ],
    ),
    'keeps a snapshot that no branch names',
  ),
  'forgets-how-long-refs-last': flaw(
    updates((update) => {
      if (update.action !== 'set-snapshot-ref') return update
      const { action, 'ref-name': name, type, 'snapshot-id': id } = update
      return { action, 'ref-name': name, type, 'snapshot-id': id }
    }),
    'keeps branches and tags beside main',
  ),
  'commits-branches-to-main': flaw(
    updates((update) =>
      update.action === 'set-snapshot-ref' ? [update, { ...update, type: 'branch', 'ref-name': 'main' }] : update,
    ),
    'commits to a branch, and leaves main',
  ),
  'removes-no-refs': flaw(
    skips('remove-snapshot-ref'),
    'removes a branch and a tag',
    'has no current snapshot when main is removed',
  ),
  'takes-refs-to-nothing': flaw(
    (right, { tables }) => ({
      commitTable: (table, commit, call) => {
        const present = tables.get(keyOf(table))?.metadata
        const added = commit.updates.some(({ action }) => action === 'add-snapshot')
        const kept = commit.updates.filter(
          (update) => update.action !== 'set-snapshot-ref' || added || namedIn(present!, update['snapshot-id']),
        )
        return right.commitTable(table, { ...commit, updates: kept }, call)
      },
    }),
    'refuses a branch or tag of a snapshot that is not there',
  ),
  'never-rolls-back': flaw(
    updates((update, all) =>
      update.action === 'set-snapshot-ref' &&
      update['ref-name'] === 'main' &&
      !all.some(({ action }) => action === 'add-snapshot')
        ? []
        : update,
    ),
    'rolls main back to an older snapshot',
  ),
  'expires-nothing': flaw(skips('remove-snapshots'), 'expires snapshots'),
  'leaves-refs-dangling': flaw(
    (right, { tables }) => ({
      commitTable: async (table, commit, call) =>
        right.commitTable(table, commit, call).catch((error: unknown) => {
          const removal = commit.updates.find(({ action }) => action === 'remove-snapshots')
          if (removal?.action !== 'remove-snapshots') throw error
          const present = tables.get(keyOf(table))!
          const kept = present.metadata.snapshots!.filter(
            (snapshot) => !removal['snapshot-ids'].some((id) => sameInt64(id, snapshot['snapshot-id'])),
          )
          const loaded: LoadedTable = { ...present, metadata: { ...present.metadata, snapshots: kept } }
          tables.set(keyOf(table), loaded)
          return structuredClone(loaded)
        }),
    }),
    'leaves no branch or tag at a snapshot that was removed',
  ),
  'keeps-old-statistics': flaw(
    stores((after, before) => ({
      ...after,
      statistics: [
        ...new Map(
          [...(before.statistics ?? []), ...(after.statistics ?? [])].map((one) => [JSON.stringify(one, big), one]),
        ).values(),
      ],
    })),
    'keeps the statistics of two snapshots apart',
    'replaces the statistics of a snapshot',
  ),
  'gives-row-ids-twice': flaw(
    stores((after) => ({ ...after, ...(after['format-version'] === 3 ? { 'next-row-id': 0 } : {}) })),
    'gives the snapshots of format version 3',
  ),
  'replaces-with-all-history': flaw(
    stores((after, _before, { updates: all }) => {
      const isReplace = all.some((update) => update.action === 'remove-snapshot-ref' && update['ref-name'] === 'main')
      return isReplace ? { ...after, snapshots: after.snapshots?.slice(-1) } : after
    }),
    'replaces a table: new schema',
  ),
  'wants-rising-numbers': flaw(
    (right, { tables }) => ({
      commitTable: async (table, commit, call) => {
        const last = tables.get(keyOf(table))?.metadata['last-sequence-number'] ?? 0
        for (const update of commit.updates)
          if (update.action === 'add-snapshot' && BigInt(update.snapshot['sequence-number']) <= BigInt(last))
            throw invalid('SEQUENCE_NUMBER', 'It must rise.')
        return right.commitTable(table, commit, call)
      },
    }),
    'lets two replaces of one table follow each other',
  ),
  'ignores-last-columns': flaw(
    ignores('assert-last-assigned-field-id'),
    'fails a replace whose columns were numbered on an older table',
  ),
}

const big = (_name: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value)
