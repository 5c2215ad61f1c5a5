import { isKind } from '@moulin/core'
import type { LoadedTable } from '@moulin/core'
import { deaf, flaw } from './flaws.ts'
import type { Flaws } from './flaws.ts'
import { keyOf } from './names-model.ts'

/** Of what every call promises. */
export const callFlaws: Flaws = {
  'creates-without-properties': flaw(
    (right) => ({
      createTable: (table, { properties: _, ...request }, call) => right.createTable(table, request, call),
    }),
    'creates a table and loads it again',
  ),
  'creates-for-all-who-ask': flaw(
    (right) => ({
      createTable: async (table, ...rest) =>
        right.createTable(table, ...rest).catch((error: unknown) => {
          if (!isKind(error, 'exists')) throw error
          return right.loadTable(table)
        }),
    }),
    'lets exactly one of many racing creates win',
  ),
  'lists-tables-twice': flaw(
    (right) => ({
      async *listTables(call) {
        yield* right.listTables(call)
        yield* right.listTables(call)
      },
    }),
    'lists every table once',
  ),
  'acknowledges-every-append': flaw(
    (right) => ({
      commitTable: async (table, ...rest) =>
        right.commitTable(table, ...rest).catch((error: unknown) => {
          if (!isKind(error, 'conflict')) throw error
          return right.loadTable(table)
        }),
    }),
    'lets exactly one of many racing appends win',
  ),
  'shares-its-answers': flaw((right) => {
    const given: LoadedTable[] = []
    const kept = (table: LoadedTable): LoadedTable => {
      given.push(table)
      return table
    }
    return {
      createTable: async (...call) => kept(await right.createTable(...call)),
      commitTable: async (table, ...rest) => {
        const made = await right.commitTable(table, ...rest)
        for (const one of given) if (keyOf(one.identifier) === keyOf(table)) Object.assign(one.metadata, made.metadata)
        return made
      },
    }
  }, 'gives answers that later commits do not change'),
  'passes-repeated-snapshots-over': flaw(
    (right) => ({
      commitTable: async (table, commit, call) =>
        right.commitTable(table, commit, call).catch((error: unknown) => {
          if (!commit.updates.some(({ action }) => action === 'add-snapshot')) throw error
          return right.loadTable(table)
        }),
    }),
    'refuses a snapshot id or sequence number that was there before',
  ),
  'commits-deaf': flaw(deaf('commitTable'), 'does nothing when its signal has fired before the call'),
}
