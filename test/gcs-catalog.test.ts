import { objectStoreCatalog } from '@moulin/catalog'
import { isKind, isMoulinError } from '@moulin/core'
import type { Catalog, TableIdentifier } from '@moulin/core'
import { gcs } from '@moulin/storage-gcs'
import { faultProxy, gcsFake, virtualRuntime } from '@moulin/testing'
import type { GcsFakeOptions, ProxyRule } from '@moulin/testing'
import { describe, expect, it, onTestFinished } from 'vitest'

const table: TableIdentifier = { namespace: ['shop'], name: 'orders' }
const schema = { type: 'struct' as const, fields: [{ id: 1, name: 'id', required: false, type: 'long' as const }] }

async function opened(fakeOptions: GcsFakeOptions, rules: readonly ProxyRule[] = []) {
  const runtime = virtualRuntime({ seed: 1 })
  const fake = await gcsFake({ clock: runtime.clock, ...fakeOptions })
  const proxy = await faultProxy({ target: fake.endpoint, rules, seed: 7 })
  onTestFinished(async () => {
    await proxy.close()
    await fake.close()
  })
  const store = gcs({ bucket: 'moulin', prefix: 'lake/', apiEndpoint: proxy.endpoint })
  const catalog = (): Catalog => objectStoreCatalog({ store, runtime })
  const hint = (): string => {
    const [found] = fake.objects('moulin').filter(({ key }) => key.endsWith('version-hint.text'))
    return new TextDecoder().decode(found!.content.slice(0, found!.content.size))
  }
  return { runtime, fake, proxy, catalog, hint }
}

const mark = async (catalog: Catalog, name: string): Promise<void> => {
  await catalog.commitTable(table, {
    requirements: [],
    updates: [{ action: 'set-properties', updates: { [name]: 'yes' } }],
  })
}

describe('a catalog on Google Cloud Storage', () => {
  it('commits faster than a name may be written: the hint lags, and no commit does', async () => {
    const { runtime, fake, catalog, hint } = await opened({ everyMs: 1_000 })
    await catalog().createTable(table, { schema })
    for (let i = 0; i < 4; i++) await mark(catalog(), `p${i}`)
    expect(fake.requests.filter(({ status }) => status === 429).length).toBeGreaterThan(0)
    const { metadata } = await catalog().loadTable(table)
    expect(Object.keys(metadata.properties!).filter((name) => /^p\d$/.test(name))).toHaveLength(4)
    expect(Number(hint())).toBeLessThan(5)
    await runtime.clock.advance(1_000)
    // Whoever loads it mends the hint.
    await catalog().loadTable(table)
    expect(hint()).toBe('5')
  })

  it('has each commit once, whatever answers are lost', async () => {
    const lost = { fault: 'after', operation: 'put', chance: 0.2, times: Infinity } as const
    const { proxy, catalog } = await opened({}, [lost])
    const own = catalog()
    await own.createTable(table, { schema }).catch((error: unknown) => {
      if (!isMoulinError(error) || error.outcome !== 'unknown') throw error
    })
    const committed = new Set<string>()
    const write = async (writer: number): Promise<void> => {
      const mine = catalog()
      for (let number = 0; number < 8;) {
        const name = `w${writer}.${number}`
        try {
          const { metadata } = await mine.loadTable(table)
          await mine.commitTable(table, {
            requirements: [{ type: 'assert-table-uuid', uuid: metadata['table-uuid'] }],
            updates: [{ action: 'set-properties', updates: { [name]: 'yes' } }],
          })
          committed.add(name)
          number++
        } catch (error) {
          if (!isKind(error, 'conflict')) throw error
        }
      }
    }
    await Promise.all([0, 1, 2, 3].map(write))
    const { metadata } = await own.loadTable(table)
    expect(
      Object.keys(metadata.properties!)
        .filter((name) => /^w\d\.\d$/.test(name))
        .sort(),
    ).toEqual([...committed].sort())
    expect(committed.size).toBe(32)
    expect(proxy.calls.filter(({ result }) => result === 'after').length).toBeGreaterThan(3)
  })
})
