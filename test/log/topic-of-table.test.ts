/** From a table back to the topic whose history it is. */
import { tableIdentifier } from '@moulin/core'
import type { TableIdentifier } from '@moulin/core'
import { fileSystem } from '@moulin/storage'
import { describe, expect, it } from 'vitest'
import { LAKE, bytesOf, machine, openIn } from './machine.ts'

describe('the topic of a table', () => {
  it('is found by the whole name of the table, and by no other', async () => {
    const on = machine()
    const log = await openIn(on.runtime())
    await log.createTopic('orders', { table: 'shop.eu.orders' })
    const payments = await log.createTopic('pay.ments')
    const found = async (identifier: TableIdentifier): Promise<string | undefined> =>
      (await log.topicOfTable(identifier))?.name
    expect(await found({ namespace: ['shop', 'eu'], name: 'orders' })).toBe('orders')
    expect(await found(tableIdentifier(payments.config.table!))).toBe('pay.ments')
    for (const namespace of [['shop'], ['shop.eu'], ['shop', 'us'], ['eu', 'shop'], [], ['shop', 'eu', 'orders']]) {
      expect(await found({ namespace, name: 'orders' })).toBeUndefined()
    }
    expect(await found({ namespace: ['shop'], name: 'eu.orders' })).toBeUndefined()
    // What no table of ours may be called is no fault of the caller's.
    expect(await found({ namespace: ['My Shop'], name: 'Größe' })).toBeUndefined()
    for (const bad of [null, 'shop.eu.orders', {}, { namespace: 'shop', name: 'orders' }, { namespace: ['a'] }]) {
      await expect(log.topicOfTable(bad as TableIdentifier)).rejects.toMatchObject({ kind: 'invalid', code: 'OPTION' })
    }
    await log.close()
    await expect(log.topicOfTable({ namespace: ['a'], name: 'b' })).rejects.toMatchObject({ code: 'LOG_CLOSED' })
  })

  it('is found beside a topic that cannot be read, which alone may be meant where no other is', async () => {
    const on = machine()
    const store = fileSystem({ root: LAKE, files: on.disk.files })
    const log = await openIn(on.runtime())
    for (const name of ['brine', 'damp', 'orders']) await log.createTopic(name, { table: `shop.${name}` })
    await log.close()
    const { bytes } = await store.get('log/topics/brine/0000000001.json')
    const later = { ...(JSON.parse(Buffer.from(bytes).toString()) as object), minimumReader: 9 }
    await store.put('log/topics/brine/0000000001.json', bytesOf(JSON.stringify(later)))
    const of = (name: string): TableIdentifier => ({ namespace: ['shop'], name })
    for (const access of ['read-only', 'read-write'] as const) {
      const again = await openIn(on.runtime(on.disk.process(access).files), { access })
      expect((await again.topicOfTable(of('orders')))?.name).toBe('orders')
      // Whose it is cannot be known.
      await expect(again.topicOfTable(of('brine'))).rejects.toMatchObject({
        kind: 'unsupported',
        code: 'FORMAT_VERSION',
      })
      await again.close()
    }
    await store.put('log/topics/damp/0000000001.json', bytesOf('damp'))
    const beside = await openIn(on.runtime(on.disk.process('damp').files), { access: 'read-only' })
    expect((await beside.topicOfTable(of('orders')))?.name).toBe('orders')
    await beside.close()
  })

  it('is found beside the writer that made it since', async () => {
    const on = machine()
    const log = await openIn(on.runtime())
    const reader = await openIn(on.runtime(on.disk.process('beside').files), { access: 'read-only' })
    const orders = await log.createTopic('orders', { table: 'shop.orders' })
    const beside = await reader.topicOfTable({ namespace: ['shop'], name: 'orders' })
    expect(beside?.id).toBe(orders.id)
    expect(await reader.topicOfTable({ namespace: ['shop'], name: 'order' })).toBeUndefined()
    await reader.close()
    await log.close()
  })
})
