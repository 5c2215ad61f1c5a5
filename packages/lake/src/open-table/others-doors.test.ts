/** Stores and catalogs of others, which do not keep to what a door says. */
import { gt, stringifyJson } from '@moulin/core'
import type { IcebergField, TableMetadata } from '@moulin/core'
import { beforeEach, describe, expect, it } from 'vitest'
import { plainTable } from './open-table.test-support.ts'
import type { PlainTable } from './open-table.test-support.ts'
import type { OpenTable } from './open-table.ts'

const fields: readonly IcebergField[] = [{ id: 1, name: 'id', required: false, type: 'long' }]

let table: PlainTable
beforeEach(async () => {
  table = await plainTable(fields)
  await table.append(Array.from({ length: 30 }, (_, at) => ({ id: BigInt(at) })))
})

describe('a store or a catalog that hears no signal', () => {
  const calls: Readonly<Record<string, (opened: OpenTable, signal: AbortSignal) => Promise<unknown>>> = {
    refresh: (opened, signal) => opened.refresh({ signal }),
    count: (opened, signal) => opened.count({ signal }),
    'scan, as an array': (opened, signal) => opened.scan({ signal }).toArray(),
    'scan, counted': (opened, signal) => opened.scan({ where: gt('id', 5n), signal }).count(),
    'scan, as Arrow': (opened, signal) => opened.scan({ signal }).toArrow(),
    'scan, as a stream': (opened, signal) => opened.scan({ signal }).toIpc(),
    'scan of the past': (opened, signal) => opened.at({ ref: 'main' }).scan({ signal }).toArray(),
    open: (_, signal) => table.open({ signal, catalog: deaf(table.catalog), stores: deaf(table.store) }),
  }
  let isShut = false
  const never = new Promise<never>(() => {})
  /** Whatever is called gives no answer any more, once it is shut. */
  function deaf<T extends object>(door: T): T {
    return new Proxy(door, {
      get(of, name) {
        const member: unknown = Reflect.get(of, name)
        if (typeof member !== 'function') return member
        return (...args: unknown[]): unknown => (isShut ? never : (member.apply(of, args) as unknown))
      },
    })
  }

  it.each(Object.keys(calls))('holds up %s until its signal, and no longer', async (name) => {
    const opened = await table.open({ catalog: deaf(table.catalog), stores: deaf(table.store) })
    isShut = true
    const stop = new AbortController()
    let state: unknown = 'waits'
    const call = calls[name]!(opened, stop.signal).then(
      (found) => (state = ['found', found]),
      (error: unknown) => (state = error),
    )
    for (let turn = 0; turn < 50; turn++) await Promise.resolve()
    expect(state).toBe('waits')
    stop.abort()
    await call
    isShut = false
    expect(state).toMatchObject({ kind: 'aborted' })
    expect(await opened.count()).toBe(30)
  })
})

describe('a catalog of anybody', () => {
  const told = (metadata: unknown): Promise<OpenTable> =>
    table.open({
      catalog: {
        ...table.catalog,
        loadTable: async (name) => ({ ...(await table.catalog.loadTable(name)), metadata: metadata as never }),
      },
    })

  it.each([[undefined], [null], ['text'], [[]], [{}], [{ 'format-version': 2 }]])(
    'is told that %j is no metadata',
    async (metadata) => {
      await expect(told(metadata)).rejects.toMatchObject({ kind: 'corrupt', code: 'METADATA' })
    },
  )

  it('is told that an answer without a table is none', async () => {
    const catalog = { ...table.catalog, loadTable: () => Promise.resolve(undefined as never) }
    await expect(table.open({ catalog })).rejects.toMatchObject({ kind: 'corrupt', code: 'METADATA' })
  })

  it('may give metadata as JSON.parse reads it, but no ids that it rounds', async () => {
    const { metadata } = await table.loaded()
    const plainJson = JSON.parse(stringifyJson(metadata)) as TableMetadata
    await expect(told(plainJson)).rejects.toMatchObject({ kind: 'corrupt' })
    const small = JSON.parse(
      stringifyJson(metadata).replaceAll(/:\d{16,}/g, (id) => `:1${id.slice(-8)}`),
    ) as TableMetadata
    expect(await (await told({ ...small, refs: undefined })).count()).toBe(30)
  })
})
