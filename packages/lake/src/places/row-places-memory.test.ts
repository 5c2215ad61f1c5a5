import type { TableMetadata } from '@moulin/core'
import { expect, it } from 'vitest'
import { noneMissing } from '../look/missing-files.ts'
import { RowPlaces } from './row-places.ts'
import type { RowPlacesParts } from './table-losers.ts'
import type { TableState } from '../table/table-state.ts'

it('remembers which rows count for as long as all is the same that says so', () => {
  const places = new RowPlaces({ info: { logId: 'l', id: 't' } } as unknown as RowPlacesParts)
  const metadata = { 'current-schema-id': 0, properties: {}, refs: {} } as unknown as TableMetadata
  const stateOf = (more: Partial<TableMetadata>, commit = 'c', missing = noneMissing): TableState =>
    ({ loaded: { metadata: { ...metadata, ...more } }, marker: { commit }, missing }) as unknown as TableState
  const first = places.losersOf(stateOf({}))
  expect(places.losersOf(stateOf({}))).toBe(first)
  const others = [
    // Its checksum may be gone with it, by which rows are bound.
    stateOf({ 'current-schema-id': 1 }),
    stateOf({ properties: { 'schema.name-mapping.default': '[]' } }),
    stateOf({}, 'd'),
    stateOf({}, 'c', new Map([['a', 'gone']])),
  ]
  for (const other of others) {
    expect(places.losersOf(other)).not.toBe(first)
    expect(places.losersOf(stateOf({}))).not.toBe(first)
  }
})
