import { expectEqual, expectError } from '../assertions.ts'
import type { CatalogCheck } from './check.ts'
import { other } from './check.ts'
import { expectProperties, expectSnapshots, expectTable } from './expect.ts'
import { appendOf, createRequest, idOf, orders, setProperty, tablesOf } from './fixtures.ts'

const registers: readonly CatalogCheck[] = [
  {
    name: 'registers a table that was dropped: its UUID, its history, and commits go on',
    async run(subject) {
      const { catalog } = subject
      const made = await catalog.commitTable(orders, appendOf(1, await catalog.createTable(orders, createRequest)))
      await catalog.dropTable(orders)
      const registered = await catalog.registerTable(orders, made.metadataLocation)
      const reader = await other(subject)
      expectTable(await reader.loadTable(orders), registered, 'loaded table')
      const { metadata } = registered
      expectEqual(
        [metadata['table-uuid'], metadata.location],
        [made.metadata['table-uuid'], made.metadata.location],
        'UUID and location',
      )
      expectEqual([metadata.snapshots, metadata.schemas], [made.metadata.snapshots, made.metadata.schemas], 'history')
      expectEqual(metadata['snapshot-log'], made.metadata['snapshot-log'], 'snapshot log')
      expectProperties(metadata.properties, { owner: 'suite' }, 'properties')
      expectEqual(await tablesOf(reader), ['shop.orders'], 'tables')
      const next = await reader.commitTable(orders, appendOf(2, registered))
      expectSnapshots(next.metadata, [idOf(1), idOf(2)], idOf(2))
    },
  },
  {
    name: 'does not register a table under a name that another has',
    async run({ catalog }) {
      const made = await catalog.createTable(orders, createRequest)
      const newer = await catalog.commitTable(orders, setProperty('a', '1'))
      await expectError(catalog.registerTable(orders, made.metadataLocation), 'exists', 'register')
      expectTable(await catalog.loadTable(orders), newer, 'the table')
    },
  },
  {
    name: 'says not-found for metadata that is not there, and registers nothing',
    async run({ catalog }) {
      const { metadata } = await catalog.createTable(orders, createRequest)
      await catalog.dropTable(orders)
      const nowhere = `${metadata.location}/metadata/99999-nowhere.metadata.json`
      await expectError(catalog.registerTable(orders, nowhere), 'not-found', 'register')
      await expectError(catalog.loadTable(orders), 'not-found', 'load')
      expectEqual(await tablesOf(catalog), [], 'tables')
    },
  },
  {
    name: 'drops a table that was registered, and registers it once more',
    async run({ catalog }) {
      const made = await catalog.createTable(orders, createRequest)
      let location = made.metadataLocation
      for (let round = 0; round < 2; round++) {
        await catalog.dropTable(orders)
        await expectError(catalog.loadTable(orders), 'not-found', 'load after the drop')
        await catalog.registerTable(orders, location)
        location = (await catalog.commitTable(orders, setProperty(`p${round}`, '1'))).metadataLocation
      }
      const { metadata } = await catalog.loadTable(orders)
      expectEqual(metadata['table-uuid'], made.metadata['table-uuid'], 'UUID')
      expectProperties(metadata.properties, { p0: '1', p1: '1' }, 'properties')
    },
  },
  {
    name: 'registers nothing when its signal has fired before the call',
    async run({ catalog }) {
      const made = await catalog.createTable(orders, createRequest)
      await catalog.dropTable(orders)
      const call = catalog.registerTable(orders, made.metadataLocation, { signal: AbortSignal.abort() })
      await expectError(call, 'aborted', 'register')
      await expectError(catalog.loadTable(orders), 'not-found', 'load')
    },
  },
]

/** Tables whose metadata is there before they have a name. */
export const registerChecks: readonly CatalogCheck[] = [
  ...registers.map((check): CatalogCheck => ({ ...check, needs: 'register' })),
  {
    name: 'says unsupported, by name, for registering',
    without: 'register',
    async run({ catalog }) {
      const made = await catalog.createTable(orders, createRequest)
      await catalog.dropTable(orders)
      const call = catalog.registerTable(orders, made.metadataLocation)
      const { context } = await expectError(call, 'unsupported', 'register', 'CATALOG_CAPABILITY')
      expectEqual(context['capability'], 'register', 'what it says that the catalog lacks')
    },
  },
]
