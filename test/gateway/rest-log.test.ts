/** A log whose tables are served by our own server: what it sends is in the table, whatever the way there does. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { objectStoreCatalog, restCatalog } from '@moulin/catalog'
import type { Catalog } from '@moulin/core'
import { serveCatalog } from '@moulin/gateway'
import type { CatalogServer } from '@moulin/gateway'
import { fileSystem, openLog } from 'moulin'
import type { Log } from 'moulin'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let root: string
let server: CatalogServer
let opened: Log | undefined
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'moulin-gateway-log-'))
  const catalog = objectStoreCatalog({ store: warehouse() })
  server = await serveCatalog({ catalog, listen: '127.0.0.1:0' })
})
afterEach(async () => {
  await opened?.close().catch(() => {})
  opened = undefined
  await server.close({ drainMs: 1000 })
  await rm(root, { recursive: true, force: true })
})

const warehouse = () => fileSystem({ root: join(root, 'warehouse') })

async function log(catalog: Catalog, more: object = {}): Promise<Log> {
  opened = await openLog(join(root, 'log'), { catalog, stores: warehouse(), threads: 0, graceMs: 0, ...more })
  return opened
}

/** The network now and then loses an answer that changed something, or the request. */
function lossy(fetch: typeof globalThis.fetch, everyNth: number): typeof globalThis.fetch {
  let posts = 0
  return async (input, init) => {
    const nth = init?.method === 'POST' ? ++posts : 0
    const isLost = nth > 0 && nth % everyNth === 0
    if (isLost && nth % (2 * everyNth) === 0) throw new TypeError('fetch failed', { cause: { code: 'ECONNRESET' } })
    const answer = await fetch(input, init)
    if (!isLost) return answer
    await answer.body?.cancel()
    throw new TypeError('terminated', { cause: { code: 'UND_ERR_SOCKET' } })
  }
}

async function contents(opened: Log): Promise<string[]> {
  const values: string[] = []
  const topic = await opened.topic('rides')
  for await (const { bytes } of topic.read({ partition: 0, to: 'end' })) values.push(Buffer.from(bytes!).toString())
  return values
}

describe('a log over our own server', { timeout: 120_000 }, () => {
  it('is the same after each restart, and asks for nothing twice that has not changed', async () => {
    const asked: string[] = []
    const fetch: typeof globalThis.fetch = async (input, init) => {
      const answer = await globalThis.fetch(input, init)
      asked.push(`${init!.method} ${answer.status}`)
      return answer
    }
    const sent: string[] = []
    for (let run = 0; run < 3; run++) {
      const current = await log(restCatalog({ uri: server.url, fetch }))
      const topic = await current.ensureTopic('rides', { table: 'shop.rides' })
      const producer = topic.producer()
      const wave = Array.from({ length: 20 }, (_, n) => `${run}-${n}`)
      await producer.sendAll(wave.map((value) => ({ value: Buffer.from(value) })))
      sent.push(...wave)
      await topic.tier()
      await current.releaseNow()
      expect(await contents(current)).toEqual(sent)
      expect((await topic.audit({ deep: true })).clean).toBe(true)
      await current.close()
    }
    expect(asked.filter((each) => each === 'GET 304').length).toBeGreaterThan(3)
  })

  it('has each record once over a network that loses requests and answers', async () => {
    const fetch = lossy(globalThis.fetch, 2)
    const current = await log(restCatalog({ uri: server.url, fetch }))
    const topic = await current.ensureTopic('rides', { table: 'shop.rides' })
    const producer = topic.producer()
    const sent: string[] = []
    for (let wave = 0; wave < 6; wave++) {
      const values = Array.from({ length: 5 }, (_, n) => `${wave}-${n}`)
      await producer.sendAll(values.map((value) => ({ value: Buffer.from(value) })))
      sent.push(...values)
      await topic.tier()
    }
    await current.releaseNow()
    expect(await contents(current)).toEqual(sent)
    const report = await topic.audit({ deep: true })
    expect([report.clean, report.partitions[0]!.rows]).toEqual([true, 30n])
    const { metadata } = await restCatalog({ uri: server.url }).loadTable({ namespace: ['shop'], name: 'rides' })
    expect(metadata.snapshots).toHaveLength(6)
  })

  it('touches no file outside of what is allowed', async () => {
    const current = await log(restCatalog({ uri: server.url }), { allow: ['file:///elsewhere/'] })
    const refused = current.ensureTopic('rides', { table: 'shop.rides' })
    await expect(refused).rejects.toMatchObject({ kind: 'invalid', code: 'OUTSIDE_STORE' })
  })
})
