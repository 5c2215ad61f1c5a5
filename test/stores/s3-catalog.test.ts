/** Catalog and tier on S3, behind a network that refuses, races and loses answers. */
import { S3Client } from '@aws-sdk/client-s3'
import { objectStoreCatalog } from '@moulin/catalog'
import { isMoulinError, systemRuntime } from '@moulin/core'
import type { Catalog, LoadedTable, ObjectStore } from '@moulin/core'
import { retry } from '@moulin/storage'
import { s3 } from '@moulin/storage-s3'
import { faultProxy, s3Fake } from '@moulin/testing'
import type { FaultProxy, ProxyRule, S3Fake } from '@moulin/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { appendOf, doneIn, racedRequest, racedTable, wantedOf } from '../support/raced-table.ts'
import { checkTieredLog, unnamedIn } from '../support/tiered-log.ts'

const isLong = process.env['MOULIN_LONG'] === '1'
const [WRITERS, COMMITS] = isLong ? [32, 50] : [12, 4]
const runtime = systemRuntime()

const faults: readonly ProxyRule[] = [
  { fault: 'before', operation: 'put', answer: 'conflict', chance: 0.05, times: Infinity },
  { fault: 'after', operation: ['put', 'delete', 'delete-many'], chance: 0.05, times: Infinity },
]

interface Cloud {
  readonly fake: S3Fake
  readonly proxy: FaultProxy
  /** Behind the proxy, what passes tried again. */
  store(): ObjectStore
  /** Past it. */
  readonly direct: ObjectStore
}

async function cloud(rules: readonly ProxyRule[], seed = 1): Promise<Cloud> {
  const fake = await s3Fake()
  const proxy = await faultProxy({ target: fake.endpoint, rules, seed })
  const { credentials, region } = fake
  const common = { credentials, region, forcePathStyle: true, maxAttempts: 1 }
  const client = new S3Client({ ...common, endpoint: proxy.endpoint })
  onTestFinished(async () => {
    client.destroy()
    await proxy.close()
    await fake.close()
  })
  return {
    fake,
    proxy,
    store: () => retry(s3({ bucket: 'moulin', client }), { minWaitMs: 1, maxWaitMs: 20, budget: { tokens: 1e6 } }),
    direct: s3({ bucket: 'moulin', endpoint: fake.endpoint, credentials }),
  }
}

interface Race {
  conflicts: number
  unknown: number
}

/** Commits until its own entry is there; what is unknown it looks up, as the error says. */
async function write(catalog: Catalog, writer: number, race: Race): Promise<void> {
  let mayBeThere = false
  for (let number = 0; number < COMMITS;) {
    const loaded = await catalog.loadTable(racedTable)
    if (mayBeThere && doneIn(loaded).includes(`${writer}/${number}`)) number++
    else {
      const outcome = await committed(catalog, writer, number, loaded)
      if (outcome === 'done') number++
      if (outcome === 'rejected') race.conflicts++
      if (outcome === 'unknown') race.unknown++
      mayBeThere ||= outcome === 'unknown'
    }
  }
}

async function committed(
  catalog: Catalog,
  writer: number,
  number: number,
  loaded: LoadedTable,
): Promise<'done' | 'rejected' | 'unknown'> {
  try {
    await catalog.commitTable(racedTable, appendOf(writer, number, loaded))
    return 'done'
  } catch (error) {
    if (!isMoulinError(error) || !['conflict', 'unavailable'].includes(error.kind)) throw error
    return error.outcome
  }
}

describe('writers of one table on S3', { timeout: isLong ? 3_600_000 : 180_000 }, () => {
  it(`${WRITERS} with ${COMMITS} commits each: every one once, whatever the network loses`, async () => {
    const { fake, proxy, store, direct } = await cloud(faults)
    await objectStoreCatalog({ store: store(), runtime }).createTable(racedTable, racedRequest)
    const race: Race = { conflicts: 0, unknown: 0 }
    const opened = Array.from({ length: WRITERS }, () => objectStoreCatalog({ store: store(), runtime }))
    await Promise.all(opened.map((catalog, writer) => write(catalog, writer, race)))

    const loaded = await objectStoreCatalog({ store: direct, runtime }).loadTable(racedTable)
    expect(doneIn(loaded).sort()).toEqual(wantedOf(WRITERS, COMMITS))
    const commits = WRITERS * COMMITS
    expect(loaded.metadata['last-sequence-number']).toBe(commits)
    // What was refused has left nothing: there are versions, each of one commit more, and a hint.
    const names = fake.objects('moulin').map(({ key }) => key.slice('tables/shop/orders/metadata/'.length))
    const versions = names.filter((name) => /^v\d+\.metadata\.json$/.test(name))
    expect(names.filter((name) => !versions.includes(name))).toEqual(['version-hint.text'])
    if (!isLong) expect(versions).toHaveLength(commits + 1)
    // A race in which nobody lost, and a network that lost nothing, would prove nothing.
    expect(race.conflicts).toBeGreaterThan(0)
    const lost = proxy.calls.filter(({ result, operation }) => result === 'after' && operation === 'put')
    expect(lost.filter(({ status }) => status === 200).length).toBeGreaterThan(0)
    expect(proxy.calls.some(({ result }) => result === 'before')).toBe(true)
  })
})

describe('a log whose table is on S3', { timeout: 120_000 }, () => {
  it('tiers each record once, and leaves nothing behind that no snapshot names', async () => {
    const { proxy, store, direct } = await cloud(faults, 3)
    await checkTieredLog(store, direct, isLong ? 20 : 4)
    expect(await unnamedIn(direct)).toEqual([])
    expect(proxy.calls.filter(({ result }) => result !== 'passed').length).toBeGreaterThan(3)
  })
})

/** A list that is not fresh is a lie, which the probe refuses where it sees it; one that comes now and then must cost no record. */
const stale = (key: RegExp, chance = 1): ProxyRule => ({
  fault: 'stale-list',
  operation: 'list',
  key,
  chance,
  times: Infinity,
})

describe('a log whose lists are now and then as they were', { timeout: 120_000 }, () => {
  it.each(isLong ? [1, 2, 3] : [1])('keeps each record, once: seed %s', async (seed) => {
    const { proxy, store, direct } = await cloud([stale(/^(?!log\/(probe|topics))/, 0.3)], seed)
    await checkTieredLog(store, direct, isLong ? 8 : 3)
    const told = proxy.calls.filter(({ result }) => result === 'stale-list').map(({ key }) => key)
    expect(told.filter((key) => key.startsWith('tables/')).length).toBeGreaterThan(0)
    expect(told.filter((key) => key.startsWith('log/')).length).toBeGreaterThan(0)
  })

  it('does not open where its topics are not listed', async () => {
    const { proxy, store, direct } = await cloud([])
    let lives = 0
    const opened = (): ObjectStore => {
      // What a first listing would have said, before there was anything.
      if (++lives === 3) proxy.addRule(stale(/^log\/topics\//))
      return store()
    }
    const error = await checkTieredLog(opened, direct, 2).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ kind: 'corrupt' })
  })
})
