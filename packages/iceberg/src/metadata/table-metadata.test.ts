import { isKind, stringifyJson } from '@moulin/core'
import type { JsonValue, TableMetadata } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ancestors, currentSchema, currentSnapshot, metadataAt, propertyOf, snapshotById } from './metadata-lookup.ts'
import type { SnapshotChoice } from './metadata-lookup.ts'
import { emptyTable, jsonOf, snapshotOf, T0, tableOf } from './metadata.test-tables.ts'
import { checkTableMetadata, parseTableMetadata, tableMetadataBytes } from './table-metadata.ts'

const kindOf = (run: () => unknown): string => {
  try {
    run()
    return 'fine'
  } catch (error) {
    for (const kind of ['corrupt', 'unsupported', 'exhausted', 'invalid'] as const) if (isKind(error, kind)) return kind
    return `unexpected: ${String(error)}`
  }
}

describe('parseTableMetadata', () => {
  it('brings back what tableMetadataBytes wrote', () => {
    for (const metadata of [emptyTable(), tableOf(3)])
      expect(parseTableMetadata(tableMetadataBytes(metadata), 'v1')).toEqual(metadata)
  })

  it('keeps 64-bit ids that no double can hold', () => {
    const text = new TextDecoder().decode(tableMetadataBytes(tableOf(2)))
    expect(text).toContain('3055729675574597001')
    const parsed = parseTableMetadata(text, 'v1')
    expect(currentSnapshot(parsed)?.['snapshot-id']).toBe(3055729675574597002n)
    expect(new TextDecoder().decode(tableMetadataBytes(parsed))).toBe(text)
  })

  it('keeps members that it does not know, at every level', () => {
    const json = jsonOf(tableOf(1))
    json['x-owner'] = { team: 'lake', big: 9007199254740993n }
    ;(json['snapshots'] as { [key: string]: JsonValue }[])[0]!['x-note'] = [1, 'two']
    const text = stringifyJson(json)
    expect(stringifyJson(parseTableMetadata(text, 'v1'))).toBe(text)
  })

  it.each([0, 4])('refuses format version %i by name', (version) => {
    const json = { ...jsonOf(emptyTable()), 'format-version': version }
    expect(() => checkTableMetadata(json, 'v1')).toThrow(`format version ${version}`)
    expect(kindOf(() => checkTableMetadata(json, 'v1'))).toBe('unsupported')
  })

  it('reads format version 3, with what its rows and columns have more', () => {
    const json = { ...jsonOf(tableOf(1)), 'format-version': 3, 'next-row-id': 9007199254740993n }
    Object.assign(fields(json)[0]!, { 'initial-default': 5, 'write-default': 6 })
    const parsed = checkTableMetadata(json, 'v3')
    expect(currentSchema(parsed).fields[0]).toMatchObject({ 'initial-default': 5, 'write-default': 6 })
    expect(stringifyJson(parsed)).toContain('"next-row-id":9007199254740993')
  })

  it('refuses a snapshot that descends from itself', () => {
    const json = jsonOf(tableOf(4))
    snapshots(json)[0]!['parent-snapshot-id'] = 3055729675574597003n
    const loop = expect.objectContaining({ kind: 'corrupt', code: 'SNAPSHOT_LOOP' }) as Error
    expect(() => checkTableMetadata(json, 'v9')).toThrow(loop)
    // One that is its own parent.
    snapshots(json)[0]!['parent-snapshot-id'] = 3055729675574597001n
    expect(() => checkTableMetadata(json, 'v9')).toThrow(loop)
  })

  it('refuses metadata of 100 MB without parsing it', () => {
    // No JSON: whoever looked inside would say corrupt.
    const bytes = new Uint8Array(100_000_000).fill(0x20)
    expect(kindOf(() => parseTableMetadata(bytes, 'v1'))).toBe('exhausted')
  })

  it('adds the main branch that older writers leave out', () => {
    const { refs: _, ...json } = jsonOf(tableOf(2))
    expect(checkTableMetadata(json, 'v1').refs).toEqual({
      main: { type: 'branch', 'snapshot-id': 3055729675574597002n },
    })
    expect(checkTableMetadata({ ...jsonOf(emptyTable()), refs: {} }, 'v1').refs).toEqual({})
  })

  it('refuses metadata above the limit before it parses it', () => {
    expect(kindOf(() => parseTableMetadata(tableMetadataBytes(emptyTable()), 'v1', 100))).toBe('exhausted')
  })

  it.each<[string, (json: { [key: string]: JsonValue }) => void]>([
    ['table-uuid', (json) => delete json['table-uuid']],
    ['last-sequence-number', (json) => (json['last-sequence-number'] = 1.5)],
    ['last-column-id', (json) => (json['last-column-id'] = '3')],
    ['current-schema-id', (json) => (json['current-schema-id'] = 7)],
    ['default-spec-id', (json) => (json['default-spec-id'] = 7)],
    ['partition-specs', (json) => delete json['partition-specs']],
    ['sort-orders', (json) => (json['sort-orders'] = 'none')],
    ['schemas[0].fields[1].name', (json) => delete fields(json)[1]!['name']],
    ['schemas[0].fields[0].type', (json) => (fields(json)[0]!['type'] = { type: 'tuple' })],
    ['field id', (json) => (fields(json)[1]!['id'] = 1001)],
    ['properties.a', (json) => (json['properties'] = { a: 1 })],
    ['current-snapshot-id', (json) => (json['current-snapshot-id'] = 12)],
    ['main', (json) => (json['current-snapshot-id'] = 3055729675574597001n)],
    ['snapshots[0].manifest-list', (json) => delete snapshots(json)[0]!['manifest-list']],
    ['snapshots[1]', (json) => (snapshots(json)[1]!['snapshot-id'] = 3055729675574597001n)],
    ['snapshots[0].summary', (json) => delete snapshots(json)[0]!['summary']],
    ['metadata-log[0].metadata-file', (json) => (json['metadata-log'] = [{ 'timestamp-ms': 1 }])],
    ['statistics[0].snapshot-id', (json) => (json['statistics'] = [{}])],
  ])('says corrupt and names %s', (member, damage) => {
    const json = jsonOf(tableOf(2))
    damage(json)
    expect(kindOf(() => checkTableMetadata(json, 'v9'))).toBe('corrupt')
    expect(() => checkTableMetadata(json, 'v9')).toThrow('v9')
    expect(() => checkTableMetadata(json, 'v9')).toThrow(member)
  })

  it('refuses types nested without end', () => {
    const json = jsonOf(emptyTable())
    let type: JsonValue = 'int'
    for (let id = 0; id < 100; id++)
      type = { type: 'list', 'element-id': 2000 + id, element: type, 'element-required': true }
    fields(json)[0]!['type'] = type
    expect(kindOf(() => checkTableMetadata(json, 'v1'))).toBe('corrupt')
  })

  it('never throws anything but its own errors, whatever one member becomes', () => {
    const paths = pathsOf(jsonOf(tableOf(2)))
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
        const json = jsonOf(tableOf(2))
        let node = json as { [key: string]: JsonValue }
        for (const key of path.slice(0, -1)) node = node[key] as { [key: string]: JsonValue }
        node[path.at(-1)!] = value as JsonValue
        expect(kindOf(() => checkTableMetadata(json, 'v1'))).not.toContain('unexpected')
      }),
      { numRuns: process.env['MOULIN_LONG'] === '1' ? 10_000 : 500 },
    )
  })
})

describe('ancestors', () => {
  it('walk from the current snapshot, or another, to the first', () => {
    const metadata = tableOf(4)
    expect([...ancestors(metadata)].map((snapshot) => snapshot['sequence-number'])).toEqual([4, 3, 2, 1])
    const older = ancestors(metadata, snapshotOf(2)['snapshot-id'])
    expect([...older].map((snapshot) => snapshot['sequence-number'])).toEqual([2, 1])
    expect([...ancestors(emptyTable())]).toEqual([])
  })

  it('end where a parent was expired, and at a cycle', () => {
    const metadata = tableOf(3)
    expect([...ancestors({ ...metadata, snapshots: metadata.snapshots!.slice(1) })]).toHaveLength(2)
    const first = { ...snapshotOf(1), 'parent-snapshot-id': snapshotOf(3)['snapshot-id'] }
    expect([...ancestors({ ...metadata, snapshots: [first, ...metadata.snapshots!.slice(1)] })]).toHaveLength(3)
  })
})

describe('metadataAt', () => {
  const at = (metadata: TableMetadata, choice: SnapshotChoice): unknown =>
    currentSnapshot(metadataAt(metadata, choice))!['sequence-number']

  it('finds a snapshot by id, in either form', () => {
    expect(at(tableOf(3), 3055729675574597002n)).toBe(2)
    expect(() => metadataAt(tableOf(3), 7)).toThrow(expect.objectContaining({ kind: 'not-found', code: 'SNAPSHOT' }))
  })

  it('finds the one that was current at a time, rollbacks too', () => {
    const metadata = tableOf(3)
    expect(at(metadata, { timestamp: T0 + 2 })).toBe(2)
    expect(at(metadata, { timestamp: T0 + 99 })).toBe(3)
    expect(() => metadataAt(metadata, { timestamp: T0 })).toThrow(/no snapshot of/)
    const back = { 'timestamp-ms': T0 + 5, 'snapshot-id': snapshotOf(1)['snapshot-id'] }
    const log = [...metadata['snapshot-log']!, back, { ...back, 'timestamp-ms': T0 + 7, 'snapshot-id': 7 }]
    expect(at({ ...metadata, 'snapshot-log': log }, { timestamp: T0 + 6 })).toBe(1)
    // That one has expired: the one before it is no answer.
    expect(() => metadataAt({ ...metadata, 'snapshot-log': log }, { timestamp: T0 + 7 })).toThrow(/expired/)
    // Without a log, by the chain.
    expect(at({ ...metadata, 'snapshot-log': [] }, { timestamp: T0 + 2 })).toBe(2)
  })

  it('reads a tag with the schema of its snapshot, and a branch with that of the table', () => {
    const metadata = tableOf(2)
    const refs: TableMetadata['refs'] = {
      old: { type: 'tag', 'snapshot-id': snapshotOf(1)['snapshot-id'] },
      side: { type: 'branch', 'snapshot-id': snapshotOf(1)['snapshot-id'] },
    }
    const newer = { ...metadata.schemas[0]!, 'schema-id': 1 }
    const evolved = { ...metadata, refs, schemas: [...metadata.schemas, newer], 'current-schema-id': 1 }
    expect(metadataAt(evolved, { ref: 'old' })['current-schema-id']).toBe(0)
    expect(metadataAt(evolved, { ref: 'side' })['current-schema-id']).toBe(1)
    expect(at(evolved, { ref: 'side' })).toBe(1)
    const unknown = expect.objectContaining({ kind: 'not-found', code: 'REF' }) as Error
    for (const ref of ['gone', 'constructor']) expect(() => metadataAt(evolved, { ref })).toThrow(unknown)
  })
})

describe('lookups', () => {
  it('compare ids in either form', () => {
    const metadata = tableOf(1)
    expect(snapshotById(metadata, 3055729675574597001n)).toBeDefined()
    expect(snapshotById(metadata, Number(3055729675574597001n))).toBeUndefined()
    expect(snapshotById(metadata, null)).toBeUndefined()
  })

  it('do not take a name of Object.prototype for a property', () => {
    expect(propertyOf(emptyTable(), 'constructor')).toBeUndefined()
    expect(propertyOf(emptyTable({ owner: 'me' }), 'owner')).toBe('me')
  })
})

const fields = (json: { [key: string]: JsonValue }): { [key: string]: JsonValue }[] =>
  (json['schemas'] as { fields: { [key: string]: JsonValue }[] }[])[0]!.fields

const snapshots = (json: { [key: string]: JsonValue }): { [key: string]: JsonValue }[] =>
  json['snapshots'] as { [key: string]: JsonValue }[]

function pathsOf(json: JsonValue, path: string[] = []): string[][] {
  const here = path.length === 0 ? [] : [path]
  if (typeof json !== 'object' || json === null) return here
  return [...here, ...Object.entries(json).flatMap(([key, value]) => pathsOf(value, [...path, key]))]
}
