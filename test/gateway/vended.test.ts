/** A log whose tables lie in S3 and whose credentials for them are handed out by the catalog: they run out, and others come. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { memoryCatalog, restCatalog } from '@moulin/catalog'
import type { Catalog, LoadedTable } from '@moulin/core'
import { serveCatalog } from '@moulin/gateway'
import { s3, s3Stores } from '@moulin/storage-s3'
import { s3Fake } from '@moulin/testing'
import type { S3Fake } from '@moulin/testing'
import { openLog } from 'moulin'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let dir: string
let fake: S3Fake
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'moulin-vended-'))
  fake = await s3Fake()
})
afterEach(async () => {
  await fake.close()
  await rm(dir, { recursive: true, force: true })
})

/** All pairs but the catalog's own. */
function expireVended(): void {
  fake.expireCredentials()
  fake.addCredentials(fake.credentials)
}

/** Hands out other credentials with each load, that are good for so long. */
function vending(lifeMs: number): { readonly catalog: Catalog; readonly handedOut: string[] } {
  const { endpoint, region, credentials } = fake
  const inner = memoryCatalog({ store: s3({ bucket: 'moulin', endpoint, region, credentials, pathStyle: true }) })
  const handedOut: string[] = []
  const vended = (table: LoadedTable): LoadedTable => {
    const nth = handedOut.length + 1
    const pair = {
      accessKeyId: `AK${nth}`,
      secretAccessKey: `canary-secret-${nth}`,
      sessionToken: `canary-token-${nth}`,
    }
    fake.addCredentials(pair)
    handedOut.push(pair.accessKeyId)
    const config = {
      's3.access-key-id': pair.accessKeyId,
      's3.secret-access-key': pair.secretAccessKey,
      's3.session-token': pair.sessionToken,
      's3.session-token-expires-at-ms': String(Date.now() + lifeMs),
    }
    const files = { 's3.endpoint': endpoint, 's3.region': region, 's3.path-style-access': 'true' }
    return { ...table, config: files, credentials: [{ prefix: 's3://moulin/', config: { ...files, ...config } }] }
  }
  const catalog: Catalog = {
    ...inner,
    createTable: async (...args) => vended(await inner.createTable(...args)),
    loadTable: async (...args) => vended(await inner.loadTable(...args)),
  }
  return { catalog, handedOut }
}

describe('credentials that a catalog hands out', () => {
  it.each([
    // Half of their time is over before a wave is.
    ['are fetched before they run out', 20, false],
    ['are fetched anew once the store refuses them', 3_600_000, true],
  ])('%s', { timeout: 120_000 }, async (_, lifeMs, expires) => {
    const { catalog, handedOut } = vending(lifeMs)
    const server = await serveCatalog({ catalog, listen: '127.0.0.1:0', passCredentials: true })
    const asked: string[] = []
    const fetch: typeof globalThis.fetch = async (input, init) => {
      asked.push(new URL(input as string).pathname)
      return await globalThis.fetch(input, init)
    }
    const client = restCatalog({ uri: server.url, fetch })
    const stores = s3Stores({ renew: client.renew })
    const log = await openLog(dir, { catalog: client, stores, allow: ['s3://moulin/tables/'], threads: 0, graceMs: 0 })
    const topic = await log.ensureTopic('rides', { table: 'shop.rides' })
    const producer = topic.producer()
    const sent: string[] = []
    for (let wave = 0; wave < 3; wave++) {
      const values = [`${wave}-a`, `${wave}-b`]
      await producer.sendAll(values.map((value) => ({ value: Buffer.from(value) })))
      sent.push(...values)
      if (expires) expireVended()
      await topic.tier()
      await log.releaseNow()
      if (expires) expireVended()
      const found: string[] = []
      for await (const { bytes } of topic.read({ partition: 0, to: 'end' })) found.push(Buffer.from(bytes!).toString())
      expect(found).toEqual(sent)
    }
    expect(handedOut.length).toBeGreaterThan(2)
    expect(asked.some((path) => path.endsWith('/credentials'))).toBe(!expires)
    const shown = inspect([log, topic.stats(), client, stores], { depth: 8, showHidden: true })
    expect(shown).not.toContain('canary')
    await log.close()
    await server.close({ drainMs: 1000 })
  })
})
