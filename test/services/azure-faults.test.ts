/** Writers of one table, and a log's tier, on Azurite behind a network that refuses, races and loses answers. */
import { ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob'
import type { ObjectStore } from '@moulin/core'
import { azure } from '@moulin/storage-azure'
import type { ProxyRule } from '@moulin/testing'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { checkLosses, lossy, patient, proxyBefore, tried } from '../support/cloud-faults.ts'
import type { FaultyCloud } from '../support/cloud-faults.ts'
import { checkRowRace } from '../support/row-race.ts'
import { checkTieredLog, unnamedIn } from '../support/tiered-log.ts'
import { azurite } from './azurite.ts'
import type { Azurite } from './azurite.ts'

let server: Azurite
let containers = 0

/** Azure's one conflict says that the blob is there, which only a create may hear; the rest is told that the service is busy. */
const rules: readonly ProxyRule[] = [
  { fault: 'before', operation: 'put', key: /\.metadata\.json$/, answer: 'conflict', chance: 0.05, times: Infinity },
  { fault: 'before', operation: 'put', answer: 'busy', chance: 0.05, times: Infinity },
  ...lossy.filter(({ fault }) => fault === 'after'),
]

async function faultyAzurite(seed: number): Promise<FaultyCloud> {
  const { url, account, accountKey } = server
  const container = `faults-${++containers}-${process.pid}`
  const client = new ContainerClient(
    `${url}/${account}/${container}`,
    new StorageSharedKeyCredential(account, accountKey),
  )
  await client.create()
  onTestFinished(async () => void (await client.delete()))
  const proxy = await proxyBefore(url, seed, rules)
  const at = { container, account, credential: { accountKey } }
  const bare = (): ObjectStore => azure({ ...at, endpoint: `${proxy.endpoint}/${account}`, ...patient })
  return {
    proxy,
    bare,
    store: () => tried(bare()),
    direct: azure({ ...at, endpoint: `${url}/${account}`, ...patient }),
  }
}

describe('on Azurite', () => {
  beforeAll(async () => {
    server = await azurite()
  }, 300_000)
  afterAll(async () => {
    await server.close()
  })

  it('every row of eight writers is there once, nothing left', { timeout: 1_800_000 }, async () => {
    const cloud = await faultyAzurite(1)
    const race = await checkRowRace(cloud.store, cloud.direct, { writers: 8, commits: 20 })
    expect(race.conflicts).toBeGreaterThan(0)
    checkLosses(cloud)
  })

  it(
    'a log tiers each record once, and leaves nothing behind that no snapshot names',
    { timeout: 300_000 },
    async () => {
      const cloud = await faultyAzurite(3)
      await checkTieredLog(cloud.store, cloud.direct, 8)
      expect(await unnamedIn(cloud.direct)).toEqual([])
      checkLosses(cloud)
    },
  )
})
