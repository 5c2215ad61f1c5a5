import { parseJson } from '@moulin/core'
import type { JsonValue } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { currentSchema, currentSnapshot, currentSpec } from './metadata-lookup.ts'
import { parseTableMetadata } from './table-metadata.ts'

/** As the first writers wrote it: no lists, no ids of partition fields, no sequence numbers. */
const oldest = {
  'format-version': 1,
  location: 'file:///lake/people',
  'last-updated-ms': 1_500_000_000_000,
  'last-column-id': 2,
  schema: {
    type: 'struct',
    fields: [
      { id: 1, name: 'id', required: true, type: 'long' },
      { id: 2, name: 'city', required: false, type: 'string' },
    ],
  },
  'partition-spec': [
    { name: 'city', transform: 'identity', 'source-id': 2 },
    { name: 'id_bucket', transform: 'bucket[4]', 'source-id': 1 },
  ],
  properties: {},
  'current-snapshot-id': 11,
  snapshots: [
    { 'snapshot-id': 10, 'timestamp-ms': 1, manifests: ['file:///lake/people/m1.avro', 'file:///lake/people/m2.avro'] },
    { 'snapshot-id': 11, 'timestamp-ms': 2, 'manifest-list': 'file:///lake/people/list.avro' },
  ],
}

const parsed = (json: object): ReturnType<typeof parseTableMetadata> => parseTableMetadata(JSON.stringify(json), 'v1')

describe('metadata of format version 1', () => {
  it('comes in the shape of today', () => {
    const metadata = parsed(oldest)
    expect(metadata).toMatchObject({
      'format-version': 1,
      'table-uuid': '',
      'last-sequence-number': 0,
      'last-partition-id': 1001,
      'sort-orders': [{ 'order-id': 0, fields: [] }],
      refs: { main: { type: 'branch', 'snapshot-id': 11 } },
    })
    expect(currentSchema(metadata).fields.map(({ name }) => name)).toEqual(['id', 'city'])
    expect(currentSpec(metadata).fields.map((field) => field['field-id'])).toEqual([1000, 1001])
    expect(currentSnapshot(metadata)).toMatchObject({ 'sequence-number': 0, summary: {} })
    // What says the same in the old form is gone, so that nothing contradicts it later.
    expect(Object.keys(metadata)).not.toContain('schema')
    expect(Object.keys(metadata)).not.toContain('partition-spec')
  })

  it('keeps the manifests of a snapshot without a list', () => {
    expect(parsed(oldest).snapshots![0]).toMatchObject({
      'manifest-list': '',
      manifests: ['file:///lake/people/m1.avro', 'file:///lake/people/m2.avro'],
    })
  })

  it('takes the lists where there are both forms', () => {
    const newer = { ...oldest.schema, 'schema-id': 3 }
    const spec = { 'spec-id': 2, fields: [{ name: 'c', transform: 'identity', 'source-id': 2, 'field-id': 1005 }] }
    const lists = { schemas: [newer], 'current-schema-id': 3, 'partition-specs': [spec], 'default-spec-id': 2 }
    const metadata = parsed({ ...oldest, ...lists })
    expect(metadata.schemas).toEqual([newer])
    expect(metadata).toMatchObject({ 'partition-specs': [spec], 'default-spec-id': 2, 'last-partition-id': 1005 })
  })

  it.each<[string, object]>([
    ['schema', { schema: undefined }],
    ['partition-spec', { 'partition-spec': 'city' }],
    ['last-column-id', { 'last-column-id': undefined }],
    ['snapshots[0].manifests', { snapshots: [{ 'snapshot-id': 10, 'timestamp-ms': 1 }] }],
  ])('says corrupt and names %s', (member, damage) => {
    expect(() => parsed({ ...oldest, ...damage })).toThrow(expect.objectContaining({ kind: 'corrupt' }))
    expect(() => parsed({ ...oldest, ...damage })).toThrow(member)
  })

  it('never throws anything but its own errors, whatever one member becomes', () => {
    const paths = pathsOf(parseJson(JSON.stringify(oldest), 'test'))
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
        const json = JSON.parse(JSON.stringify(oldest)) as { [key: string]: JsonValue }
        let node = json
        for (const key of path.slice(0, -1)) node = node[key] as { [key: string]: JsonValue }
        node[path.at(-1)!] = value as JsonValue
        try {
          parsed(json)
        } catch (error) {
          expect(['corrupt', 'unsupported']).toContain((error as { kind?: string }).kind)
        }
      }),
      { numRuns: process.env['MOULIN_LONG'] === '1' ? 10_000 : 500 },
    )
  })
})

function pathsOf(json: JsonValue, path: string[] = []): string[][] {
  const here = path.length === 0 ? [] : [path]
  if (typeof json !== 'object' || json === null) return here
  return [...here, ...Object.entries(json).flatMap(([key, value]) => pathsOf(value, [...path, key]))]
}
