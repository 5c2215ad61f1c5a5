import { expectEqual, expectError, expectTrue } from '../assertions.ts'
import type { CatalogCheck } from './check.ts'
import { other } from './check.ts'
import { expectConflict, expectProperties, expectTable } from './expect.ts'
import { appendOf, commitOf, createRequest, idOf, metRequirements, orders, setBranch, setProperty } from './fixtures.ts'

/** What a commit promises, whatever it changes. */
export const commitChecks: readonly CatalogCheck[] = [
  {
    name: 'goes ahead with a commit whose requirements all hold, of every kind',
    async run({ catalog }) {
      await catalog.commitTable(orders, appendOf(1, await catalog.createTable(orders, createRequest)))
      const requirements = metRequirements(await catalog.loadTable(orders))
      const { metadata } = await catalog.commitTable(orders, { ...setProperty('a', '1'), requirements })
      expectProperties(metadata.properties, { a: '1' }, 'properties')
    },
  },
  {
    name: 'takes null for a branch that is not there, and fails when it is',
    async run({ catalog }) {
      const made = await catalog.createTable(orders, createRequest)
      const none = (ref: string) => [{ type: 'assert-ref-snapshot-id' as const, ref, 'snapshot-id': null }]
      const { updates } = appendOf(1, made)
      await catalog.commitTable(orders, { requirements: none('main'), updates })
      await catalog.commitTable(orders, { requirements: none('audit'), updates: [setBranch('audit', idOf(1))] })
      for (const ref of ['main', 'audit'])
        await expectConflict(catalog.commitTable(orders, { ...setProperty('a', '1'), requirements: none(ref) }), ref)
    },
  },
  {
    name: 'holds a UUID to be the same in upper and lower case',
    async run({ catalog }) {
      const { metadata } = await catalog.createTable(orders, createRequest)
      const requirements = [{ type: 'assert-table-uuid' as const, uuid: metadata['table-uuid'].toUpperCase() }]
      await catalog.commitTable(orders, { ...setProperty('a', '1'), requirements })
    },
  },
  {
    name: 'makes no version of a commit without updates, but checks what it requires',
    async run({ catalog }) {
      const made = await catalog.createTable(orders, createRequest)
      expectTable(
        await catalog.commitTable(orders, { requirements: metRequirements(made), updates: [] }),
        made,
        'answer',
      )
      const requirements = [{ type: 'assert-current-schema-id' as const, 'current-schema-id': 9 }]
      await expectConflict(catalog.commitTable(orders, { requirements, updates: [] }), 'a broken requirement')
      expectTable(await catalog.loadTable(orders), made, 'the table')
    },
  },
  {
    name: 'applies the updates of a commit in their order',
    async run({ catalog }) {
      await catalog.createTable(orders, createRequest)
      const set = (a: string) => ({ action: 'set-properties' as const, updates: { a, b: a } })
      const remove = { action: 'remove-properties' as const, removals: ['a', 'b'] }
      const { metadata } = await catalog.commitTable(
        orders,
        commitOf(set('1'), remove, set('2'), { ...remove, removals: ['b'] }),
      )
      expectProperties(metadata.properties, { owner: 'suite', a: '2' }, 'properties', 'b')
    },
  },
  {
    name: 'sets, overwrites and removes properties, and leaves the others',
    async run(subject) {
      const properties = { owner: 'suite', old: '1', kept: '1' }
      await subject.catalog.createTable(orders, { ...createRequest, properties })
      await subject.catalog.commitTable(orders, setProperty('owner', 'other'))
      await subject.catalog.commitTable(
        orders,
        commitOf({ action: 'remove-properties', removals: ['old', 'not there'] }),
      )
      const { metadata } = await (await other(subject)).loadTable(orders)
      expectProperties(metadata.properties, { owner: 'other', kept: '1' }, 'properties', 'old')
    },
  },
  {
    name: 'keeps odd names and values of properties as they are',
    async run(subject) {
      const odd = {
        ['__proto__']: 'a',
        constructor: 'b',
        'with blank': '',
        ümläut: '🤪 \u2028 "quoted" \\ \n \t',
        long: 'x'.repeat(10_000),
        number: '00012',
        json: '{"a":[1,2]}',
      }
      await subject.catalog.createTable(orders, { ...createRequest, properties: odd })
      await subject.catalog.commitTable(orders, commitOf({ action: 'set-properties', updates: { ...odd, more: '1' } }))
      expectProperties((await (await other(subject)).loadTable(orders)).metadata.properties, odd, 'properties')
    },
  },
  {
    name: 'goes on from the newest table, whoever committed last',
    async run(subject) {
      const clients = [subject.catalog, await other(subject)]
      await subject.catalog.createTable(orders, createRequest)
      const wanted: Record<string, string> = {}
      for (let turn = 0; turn < 8; turn++) {
        wanted[`p${turn}`] = String(turn)
        const made = await clients[turn % 2]!.commitTable(orders, setProperty(`p${turn}`, String(turn)))
        expectProperties(made.metadata.properties, wanted, `properties after turn ${turn}`)
      }
    },
  },
  {
    name: 'fails a commit on a table that was dropped and made again',
    async run({ catalog }) {
      const first = await catalog.createTable(orders, createRequest)
      await catalog.dropTable(orders)
      const second = await catalog.createTable(orders, createRequest)
      await expectConflict(catalog.commitTable(orders, appendOf(1, first)), 'an append to the first table')
      expectTable(await catalog.loadTable(orders), second, 'the second table')
    },
  },
  {
    name: 'keeps the UUID and the location of a table through all commits, and its time does not go back',
    async run({ catalog }) {
      let table = await catalog.createTable(orders, createRequest)
      const { 'table-uuid': uuid, location } = table.metadata
      for (let number = 1; number <= 3; number++) {
        const next = await catalog.commitTable(orders, appendOf(number, table))
        expectEqual([next.metadata['table-uuid'], next.metadata.location], [uuid, location], 'UUID and location')
        const [before, after] = [table, next].map(({ metadata }) => BigInt(metadata['last-updated-ms']))
        expectTrue(after! >= before!, `last-updated-ms went back from ${before} to ${after}`)
        table = next
      }
      await catalog.commitTable(orders, commitOf({ action: 'assign-uuid', uuid }))
    },
  },
  {
    name: 'makes a change once that is sent twice with one id',
    async run({ catalog }) {
      const made = await catalog.createTable(orders, createRequest)
      const options = { changeId: '0190a6b2-5cdb-7aaa-8bbb-0123456789ab' }
      const { metadata } = await catalog.commitTable(orders, appendOf(1, made), options)
      await catalog.commitTable(orders, appendOf(1, made), options).catch(() => {})
      const loaded = await catalog.loadTable(orders)
      expectEqual(loaded.metadata.snapshots, metadata.snapshots, 'snapshots')
    },
  },
  {
    name: 'does not change another table by a commit',
    async run({ catalog }) {
      const beside = { namespace: ['shop'], name: 'orders2' }
      await catalog.createTable(orders, createRequest)
      const before = await catalog.createTable(beside, createRequest)
      await catalog.commitTable(orders, setProperty('a', '1'))
      expectTable(await catalog.loadTable(beside), before, 'the table beside')
      await catalog.dropTable(orders)
      await expectError(catalog.loadTable(orders), 'not-found', 'load of the one that was dropped')
      expectTable(await catalog.loadTable(beside), before, 'the table beside, after the drop')
    },
  },
]
