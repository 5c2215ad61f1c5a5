import type { IcebergSchema, LoadedTable, TableCommit } from '@moulin/core'
import { expectEqual, expectTrue } from '../assertions.ts'
import type { CatalogCheck } from './check.ts'
import { other } from './check.ts'
import { expectConflict, expectProperties, expectSnapshots, expectTable } from './expect.ts'
import {
  appendOf,
  ascending,
  column,
  createRequest,
  idOf,
  orders,
  setMain,
  snapshotOf,
  useOrder,
  useSchema,
  useSpec,
} from './fixtures.ts'

const anew = (...names: string[]): IcebergSchema => ({
  type: 'struct',
  fields: names.map((name, at) => column(at + 3, name)),
})

/** As engines replace a table: all of it anew, main begins again, and the first snapshot has no parent. */
function replacementOf({ metadata }: LoadedTable, schema: IcebergSchema, number: number): TableCommit {
  const snapshot = snapshotOf(number, metadata, 'nowhere')
  return {
    requirements: [{ type: 'assert-table-uuid', uuid: metadata['table-uuid'] }],
    updates: [
      ...useSchema(schema),
      ...useSpec(),
      ...useOrder(ascending(3)),
      { action: 'remove-snapshot-ref', 'ref-name': 'main' },
      { action: 'set-properties', updates: { replaced: '1' } },
      { action: 'add-snapshot', snapshot },
      setMain(idOf(number)),
    ],
  }
}

/** Tables that take the place of themselves. */
export const replaceChecks: readonly CatalogCheck[] = [
  {
    name: 'replaces a table: new schema, spec and order, and its UUID and its old snapshots kept',
    async run(subject) {
      const { catalog } = subject
      const old = await catalog.commitTable(orders, appendOf(1, await catalog.createTable(orders, createRequest)))
      await catalog.commitTable(orders, replacementOf(old, anew('x', 'y'), 2))
      const { metadata } = await (await other(subject)).loadTable(orders)
      expectEqual(metadata['table-uuid'], old.metadata['table-uuid'], 'UUID')
      expectSnapshots(metadata, [idOf(1), idOf(2)], idOf(2))
      expectTrue(metadata.snapshots![1]!['parent-snapshot-id'] === undefined, 'the new snapshot has no parent')
      const { 'current-schema-id': schemaId, 'default-sort-order-id': orderId, 'default-spec-id': specId } = metadata
      expectEqual(
        [schemaId, specId, orderId, metadata['last-column-id']],
        [1, 1, 1, 4],
        'schema, spec, order, last column',
      )
      expectProperties(metadata.properties, { owner: 'suite', replaced: '1' }, 'properties')
      expectEqual(metadata['metadata-log']?.length, 2, 'entries of the metadata log')
    },
  },
  {
    name: 'keeps the snapshot log of a table that is replaced',
    async run({ catalog }) {
      const old = await catalog.commitTable(orders, appendOf(1, await catalog.createTable(orders, createRequest)))
      const { metadata } = await catalog.commitTable(orders, replacementOf(old, anew('x'), 2))
      const logged = metadata['snapshot-log']!.map((entry) => BigInt(entry['snapshot-id']))
      expectEqual(logged, [idOf(1), idOf(2)], 'snapshot log')
    },
  },
  {
    name: 'has no current snapshot when main is removed, and the snapshot is still there',
    async run({ catalog }) {
      await catalog.commitTable(orders, appendOf(1, await catalog.createTable(orders, createRequest)))
      const updates = [{ action: 'remove-snapshot-ref' as const, 'ref-name': 'main' }]
      const { metadata } = await catalog.commitTable(orders, { requirements: [], updates })
      expectSnapshots(metadata, [idOf(1)], undefined)
    },
  },
  {
    name: 'lets two replaces of one table follow each other, and both be seen in its snapshots',
    async run({ catalog }) {
      const old = await catalog.commitTable(orders, appendOf(1, await catalog.createTable(orders, createRequest)))
      await catalog.commitTable(orders, replacementOf(old, anew('x'), 2))
      // Made from the old table, so its snapshot has the sequence number that the first one has by now.
      const { requirements, updates } = replacementOf(old, anew('y'), 3)
      const later = updates.filter(({ action }) => !action.endsWith('-spec') && !action.endsWith('-order'))
      const { metadata } = await catalog.commitTable(orders, { requirements, updates: later })
      expectSnapshots(metadata, [idOf(1), idOf(2), idOf(3)], idOf(3))
    },
  },
  {
    name: 'fails a replace whose columns were numbered on an older table',
    async run({ catalog }) {
      const old = await catalog.createTable(orders, createRequest)
      const first = await catalog.commitTable(orders, replacementOf(old, anew('a', 'b'), 1))
      const { requirements, updates } = replacementOf(old, anew('c', 'd'), 2)
      const last = { type: 'assert-last-assigned-field-id' as const, 'last-assigned-field-id': 2 }
      await expectConflict(
        catalog.commitTable(orders, { requirements: [...requirements, last], updates }),
        'the later replace',
      )
      expectTable(await catalog.loadTable(orders), first, 'the table')
    },
  },
  {
    name: 'fails an append to a table that was replaced meanwhile',
    async run({ catalog }) {
      const old = await catalog.commitTable(orders, appendOf(1, await catalog.createTable(orders, createRequest)))
      const replaced = await catalog.commitTable(orders, replacementOf(old, anew('x'), 2))
      await expectConflict(catalog.commitTable(orders, appendOf(3, old)), 'an append to the table as it was')
      expectTable(await catalog.loadTable(orders), replaced, 'the table')
    },
  },
]
