import { connect } from 'node:net'
import { objectStoreCatalog } from '@moulin/catalog'
import { systemRuntime } from '@moulin/core'
import type { Catalog } from '@moulin/core'
import { memory } from '@moulin/storage'
import { describe, expect, it } from 'vitest'
import { orders, served, servedOrders, tables } from './gateway.ts'

const CLIENTS = 40
const { timers } = systemRuntime()
const set = (name: string) => ({ requirements: [], updates: [{ action: 'set-properties', updates: { [name]: '1' } }] })

/** A folder's catalog that counts the commits that it is asked for at one time; none ends before `isReady`. */
function counting(isReady: () => Promise<boolean>): { readonly catalog: Catalog; readonly most: () => number } {
  const inner = objectStoreCatalog({ store: memory() })
  let [active, most] = [0, 0]
  const commitTable: Catalog['commitTable'] = async (...asked) => {
    most = Math.max(most, ++active)
    while (!(await isReady())) await timers.turn()
    return await inner.commitTable(...asked).finally(() => active--)
  }
  return { catalog: { ...inner, commitTable }, most: () => most }
}

describe('commits of many clients', () => {
  it('to one table race with nobody of the same server', async () => {
    // Once all have come.
    let isReady = false
    const { catalog, most } = counting(async () => (isReady ||= (await server.stats()).active === CLIENTS))
    const { ask, server } = await servedOrders({ catalog, kind: 'folder' })
    const answers = await Promise.all(
      Array.from({ length: CLIENTS }, (_, client) => ask('POST', `${tables}/orders`, set(`k${client}`))),
    )
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: CLIENTS }, () => 200))
    expect(most()).toBe(1)
    const { metadata } = await catalog.loadTable({ namespace: ['shop'], name: 'orders' })
    expect(Object.keys(metadata.properties ?? {}).filter((name) => name.startsWith('k'))).toHaveLength(CLIENTS)
  })

  it('to other tables do not wait for one that hangs', async () => {
    const inner = objectStoreCatalog({ store: memory() })
    let isHeld = false
    let release = (): void => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    const commitTable: Catalog['commitTable'] = async (table, ...rest) => {
      if (isHeld && table.name === 'orders') await held
      return inner.commitTable(table, ...rest)
    }
    const { ask } = await servedOrders({ catalog: { ...inner, commitTable }, kind: 'folder' })
    await ask('POST', tables, { ...orders, name: 'returns' })
    isHeld = true
    const first = ask('POST', `${tables}/orders`, set('a'))
    const second = ask('POST', `${tables}/orders`, set('b'))
    expect((await ask('POST', `${tables}/returns`, set('c'))).status).toBe(200)
    release()
    expect([(await first).status, (await second).status]).toEqual([200, 200])
  })
})

it('a connection that never sends anything does not hold a server up', async () => {
  const { server } = await served()
  const { hostname, port } = new URL(server.url)
  const silent = connect(Number(port), hostname)
  const ended = new Promise((resolve) => silent.once('close', resolve))
  await new Promise<void>((resolve) => silent.once('connect', resolve))
  while ((await server.stats()).connections === 0);
  // Else it would be cut only then.
  await server.close({ drainMs: 3_600_000 })
  await ended
})
