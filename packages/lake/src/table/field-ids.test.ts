import { nestedFields, schema, t } from '@moulin/core'
import type { Catalog, Codec, IcebergField, IcebergSchema, IcebergType, TableMetadata } from '@moulin/core'
import { avro } from '@moulin/format'
import { currentSchema } from '@moulin/iceberg'
import { hookedStore, virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { plainCatalog } from '../catalog.test-support.ts'
import { answeredIds, fieldIdsFromJson, fieldIdsToJson } from './field-ids.ts'
import { allRows, change, replaceRows, tableOf } from '../foreign.test-support.ts'
import { checkTable, readAll, testLog } from '../lake.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'
import { markerKey } from './marker.ts'

const Trip = schema({
  origin: t.string,
  target: t.string,
  legs: t.list(t.struct({ by: t.string, via: t.string })),
})
const codec = avro(Trip) as Codec
const trip = (n: number): Uint8Array =>
  codec.encode({
    origin: `from-${n}`,
    target: `to-${n}`,
    legs: [{ by: `rail-${n}`, via: `stop-${n}` }],
  })

/** Gives every field another id, as catalogs may, and can forget schemas that nothing uses any more. */
function shiftingCatalog(store = hookedStore(), runtime = virtualRuntime({ seed: 4 })) {
  const inner = plainCatalog(store, runtime)
  const state = { shift: true, forgets: false, dies: false }
  const catalog: Catalog = {
    ...inner,
    async createTable(table, request, options) {
      const asked = state.shift
        ? { ...request, schema: shifted(request.schema), partitionSpec: { 'spec-id': 0, fields: [] } }
        : request
      const created = await inner.createTable(table, asked, options)
      if (state.dies) throw new Error('the process died')
      return created
    },
    async loadTable(table, options) {
      const loaded = await inner.loadTable(table, options)
      const { metadata } = loaded
      return state.forgets ? { ...loaded, metadata: { ...metadata, schemas: [currentSchema(metadata)] } } : loaded
    },
  }
  return { state, log: testLog({ store, runtime, catalog, codec, info: { partitions: 1, partitionBy: [] } }) }
}

function shifted(of: IcebergSchema): IcebergSchema {
  let next = 400
  const field = (one: IcebergField): IcebergField => {
    const id = next--
    return { ...one, id, type: type(one.type) }
  }
  const type = (one: IcebergType): IcebergType => {
    if (typeof one === 'string') return one
    if (one.type === 'struct') return { ...one, fields: one.fields.map(field) }
    if (one.type === 'list') return { ...one, 'element-id': next--, element: type(one.element) }
    return { ...one, 'key-id': next--, 'value-id': next--, key: type(one.key), value: type(one.value) }
  }
  return { ...of, fields: of.fields.map(field) }
}

const markerOf = async (log: TestLog): Promise<string> =>
  (await tableOf(log)).metadata.properties![markerKey(log.info.id)]!

async function rename(log: TestLog, change_: (metadata: TableMetadata) => IcebergField[]): Promise<void> {
  const { metadata } = await tableOf(log)
  const { 'schema-id': _, ...now } = currentSchema(metadata)
  await change(log, [
    { action: 'add-schema', schema: { ...now, fields: change_(metadata) } },
    { action: 'set-current-schema', 'schema-id': -1 },
  ])
}

const names = new Map([
  ['origin', 'target'],
  ['target', 'origin'],
])
const swapped = (metadata: TableMetadata): IcebergField[] =>
  currentSchema(metadata).fields.map((field) => ({ ...field, name: names.get(field.name) ?? field.name }))

describe('field ids', () => {
  it('come back from JSON, also under names with dots and quotes', () => {
    const asked: IcebergSchema = {
      type: 'struct',
      fields: [
        { id: 5, name: 'a.b', required: false, type: 'int' },
        {
          id: 6,
          name: 'a',
          required: false,
          type: { type: 'struct', fields: [{ id: 7, name: 'b', required: false, type: 'int' }] },
        },
        { id: 8, name: '"x", y', required: false, type: 'int' },
        {
          id: 9,
          name: 'm',
          required: false,
          type: { type: 'map', 'key-id': 10, key: 'int', 'value-id': 11, value: 'int', 'value-required': false },
        },
      ],
    }
    const ids = answeredIds(asked, asked)!
    expect(ids.size).toBe(7)
    expect(fieldIdsFromJson(fieldIdsToJson(ids), 'it')).toEqual(ids)
    expect(fieldIdsFromJson([[['a'], 3, 'later']], 'it').size).toBe(1)
    expect(() => fieldIdsFromJson([['a', 3]], 'it')).toThrow(/the path of a field id of it must be a list of strings/)
  })
})

describe.each([true, false])('a table whose ids are other ones than we asked for: %s', (shift) => {
  it('is followed by recorded ids after two names were swapped and the first schema is forgotten', async () => {
    const { log, state } = shiftingCatalog()
    state.shift = shift
    const topic = await log.attach()
    expect((await markerOf(log)).includes('"fieldIds":null')).toBe(!shift)
    for (let n = 0; n < 6; n++) log.hot.send(0, [{ value: trip(n) }])
    await topic.tier({ upTo: [4n] })
    await rename(log, swapped)
    await replaceRows(log, [await allRows(log)])
    await topic.tier({ upTo: [6n] })
    state.forgets = true
    const next = await log.reopen().attach()
    expect((await readAll(next, 0)).map(({ bytes }) => bytes)).toEqual(log.hot.records(0).map(({ bytes }) => bytes))
    await checkTable(next, log)
  })

  it('is followed when nested names were swapped, which no id of a column shows', async () => {
    const { log, state } = shiftingCatalog()
    state.shift = shift
    const topic = await log.attach()
    for (let n = 0; n < 4; n++) log.hot.send(0, [{ value: trip(n) }])
    await topic.tier({ upTo: [2n] })
    await rename(log, (metadata) =>
      currentSchema(metadata).fields.map((field) => {
        if (field.name !== 'legs' || typeof field.type === 'string' || field.type.type !== 'list') return field
        const [by, via] = nestedFields(field.type.element)
        const fields = [
          { ...via!, name: 'by' },
          { ...by!, name: 'via' },
        ]
        return { ...field, type: { ...field.type, element: { type: 'struct' as const, fields } } }
      }),
    )
    expect(await readAll(topic, 0)).toEqual(log.hot.records(0).slice(0, 2))
    await replaceRows(log, [await allRows(log)])
    await topic.tier({ upTo: [4n] })
    await checkTable(await log.reopen().attach(), log)
    const legs = (await topic.scan({ columns: ['legs'] }).toArray()).map((row) => row['legs'])
    expect(new Set(legs)).toEqual(new Set([0, 1, 2, 3].map((n) => [{ by: `rail-${n}`, via: `stop-${n}` }])))
  })

  it('is followed where the process died before it could record the ids', async () => {
    const { log, state } = shiftingCatalog()
    Object.assign(state, { shift, dies: true })
    await expect(log.attach()).rejects.toThrow('died')
    state.dies = false
    expect(await markerOf(log)).toContain('"fieldIds":null')
    const topic = await log.reopen().attach()
    log.hot.send(0, [{ value: trip(7) }])
    await topic.tier({ upTo: [1n] })
    await checkTable(topic, log)
    expect((await markerOf(log)).includes('"fieldIds":null')).toBe(!shift)
  })

  it('is told apart from one that was changed before that, or refused while it has no row of ours', async () => {
    const { log, state } = shiftingCatalog()
    Object.assign(state, { shift, dies: true })
    await log.attach().catch(() => undefined)
    state.dies = false
    await rename(log, swapped)
    const attached = log.reopen().attach()
    if (shift)
      await expect(attached).rejects.toMatchObject({ code: 'SCHEMA_DRIFT', message: expect.stringMatching(/drop it/) })
    else {
      const topic = await attached
      log.hot.send(0, [{ value: trip(3) }])
      await topic.tier({ upTo: [1n] })
      await checkTable(topic, log)
    }
  })
})

it('keeps large field ids as an object that every marker names, read by the next process', async () => {
  const { log } = shiftingCatalog()
  const limits = { limits: { markerBytes: 1200 } }
  const topic = await log.reopen(limits).attach()
  log.hot.send(0, [{ value: trip(1) }])
  await topic.tier({ upTo: [1n] })
  expect(await markerOf(log)).toMatch(/"fieldIds":"[0-9a-f]{64}"/)
  await checkTable(await log.reopen(limits).attach(), log)
})
