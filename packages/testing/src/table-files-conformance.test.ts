import { tableFiles, unsupported } from '@moulin/core'
import type { LoadedTable, TableFiles } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { hookedStore } from './hooked-store.ts'
import { partedStore } from './parted-store.ts'
import { tableFilesChecks } from './table-files-checks.ts'
import type { TableFilesPlace } from './table-files-checks.ts'
import { tableFilesConformance, tableFilesConformanceChecks } from './table-files-conformance.ts'
import { vendedStores } from './vended-stores.ts'
import { derive } from './wrong-store.ts'

const outside = ['s3://lakeside/t/x', 'gs://lake/t/x', 'file:///lakes/t/x', 'data/x', '']

/** One store that is a folder. */
function inFolder(): TableFilesPlace {
  const store = derive(hookedStore(), { root: 'file:///my lake/' })
  const others = ['file:/my lake/tables/t', '/my lake/tables/t']
  return { files: tableFiles(store), folder: 'file:///my lake/tables/t', others, outside }
}

/** One store that lists in no order and has two names. */
function inBucket(): TableFilesPlace {
  const parted = partedStore({ seed: 3 })
  const store = derive(parted, { root: 's3://lake/', aliases: ['s3a://lake/'] })
  return {
    files: tableFiles(store),
    folder: 's3a://lake/t',
    others: ['s3://lake/t'],
    outside: [...outside, 's3n://lake/t/x'],
  }
}

/** Two stores whose credentials are good for ever, or run out before each call. */
function vended(lasting: 'for ever' | 'no call'): TableFilesPlace {
  const stores = vendedStores({ calls: 1_000 })
  const tables = stores.vending({ loadTable: async () => ({}) } as never)
  const reload = (): Promise<LoadedTable> => tables.loadTable({ namespace: [], name: 't' })
  const files = tableFiles(stores.stores, { reload })
  const old = <A extends unknown[], R>(call: (...given: A) => R) => {
    return (...given: A): R => {
      if (lasting === 'no call') stores.expire()
      return call(...given)
    }
  }
  const { get, getRanges, head, put, deleteMany, list } = files
  const calls = { get: old(get), getRanges: old(getRanges), head: old(head), put: old(put) }
  const others = ['s3://lake/t', 's3n://lake/t']
  return {
    files: { ...files, ...calls, deleteMany: old(deleteMany), list: old(list) },
    folder: 's3a://lake/t',
    others,
    outside,
  }
}

/** A store for each scheme, with a root of its own; each names the other one. */
function byScheme(): TableFilesPlace {
  const store = hookedStore()
  const roots = ['s3://lake/', 's3a://lake/']
  const files = tableFiles((location) => {
    const root = roots.find((one) => location.startsWith(one))
    if (root === undefined) throw unsupported('STORE_SCHEME', `No store for ${location}.`)
    return derive(store, { root, aliases: roots.filter((one) => one !== root) })
  })
  return { files, folder: 's3a://lake/t', others: ['s3://lake/t'], outside }
}

tableFilesConformance({ describe, it }, { name: 'tableFiles of a folder', create: inFolder })
tableFilesConformance({ describe, it }, { name: 'tableFiles of a bucket with two names', create: inBucket })
tableFilesConformance({ describe, it }, { name: 'tableFiles of a store for each scheme', create: byScheme })
tableFilesConformance({ describe, it }, { name: 'tableFiles of vended stores', create: () => vended('for ever') })
tableFilesConformance(
  { describe, it },
  { name: 'tableFiles of vended stores, renewed at each call', create: () => vended('no call') },
)

/** Files that are wrong in one way, and the check that says so. */
const wrongFiles: readonly {
  readonly name: string
  readonly breaks: string
  /** @param again Files of the same store that have not read anything. */
  wrap(files: TableFiles, again: () => TableFiles): Partial<TableFiles>
}[] = [
  {
    name: 'names compared as they are written',
    breaks: 'tells whether two names are of one file',
    wrap: () => ({ isSame: (a, b) => a === b }),
  },
  {
    name: 'names decoded before they are deleted',
    breaks: 'writes and deletes names raw only',
    wrap: (files) => ({ deleteMany: (names, call) => files.deleteMany(names.map(decodeURIComponent), call) }),
  },
  {
    name: 'a delete that goes as far as it gets',
    breaks: 'refuses what lies elsewhere, before it does anything',
    wrap: (files) => ({
      async deleteMany(names, call) {
        for (const name of names) await files.deleteMany([name], call)
        return { failed: [] }
      },
    }),
  },
  {
    name: 'lists of a part of a name that give names as it is written',
    breaks: 'lists by any name of its folder what begins so, canonically',
    wrap: (files) => ({
      async *list(prefix, call) {
        const written = prefix.endsWith('-') ? prefix : undefined
        for await (const info of files.list(prefix, call))
          yield {
            ...info,
            location: written === undefined ? info.location : written + info.location.split('-').at(-1)!,
          }
      },
    }),
  },
  {
    name: 'a head of the raw name alone',
    breaks: 'reads a name raw, and percent-decoded where nothing is there',
    wrap: (files) => ({
      async head(name, call) {
        // Right of those that are asked for with and without a raw one.
        if (/k=[ei]/.test(name)) return files.head(name, call)
        files.spellings(name)
        for await (const { location, ...info } of files.list(name, call))
          if (location === files.canonical(name)) return { ...info, key: '' }
        return undefined
      },
    }),
  },
  {
    name: 'a read that looks for the raw name each time',
    breaks: 'reads all ranges of a name from one object',
    wrap: (_, again) => ({ get: (name, call) => again().get(name, call) }),
  },
  {
    name: 'a head that looks for the raw name each time',
    breaks: 'reads all ranges of a name from one object',
    wrap: (_, again) => ({ head: (name, call) => again().head(name, call) }),
  },
  {
    name: 'a create that overwrites',
    breaks: 'creates a file once',
    wrap: (files) => ({ put: (name, bytes) => files.put(name, bytes) }),
  },
  {
    name: 'ranges in the order of the object',
    breaks: 'reads ranges of what get reads',
    wrap: (files) => ({
      getRanges: (name, ranges, call) => files.getRanges(name, ranges.toReversed(), call),
    }),
  },
  {
    name: 'spellings that leave the decoded one out',
    breaks: 'gives names that stay what they are',
    wrap: (files) => ({ spellings: (name) => files.spellings(name).slice(0, 1) }),
  },
  {
    name: 'a missing file that could not be deleted',
    breaks: 'tells what is not there',
    wrap: (files) => ({
      async deleteMany(names, call) {
        const [name] = names
        const isMissing = names.length === 1 && name!.includes('none') && (await files.head(name!)) === undefined
        const { failed } = await files.deleteMany(names, call)
        return { failed: isMissing ? [{ location: name!, error: new Error('not there') }] : failed }
      },
    }),
  },
]

describe('the suite of TableFiles', () => {
  it('has checks of different names', () => {
    expect(new Set(tableFilesChecks.map(({ name }) => name)).size).toBe(tableFilesChecks.length)
  })

  it.each(wrongFiles)('rejects $name, by one check', async ({ breaks, wrap }) => {
    const create = (): TableFilesPlace => {
      const store = derive(hookedStore(), { root: 's3://lake/', aliases: ['s3a://lake/'] })
      const files = tableFiles(store)
      const wrong = { ...files, ...wrap(files, () => tableFiles(store)) }
      return { files: wrong, folder: 's3a://lake/t', others: ['s3://lake/t'], outside }
    }
    const failed: string[] = []
    for (const { name, run } of tableFilesConformanceChecks({ create })) await run().catch(() => failed.push(name))
    expect(failed).toEqual([breaks])
  })

  it('ends a check that takes longer than it may', async () => {
    const files = { ...inFolder().files, head: () => new Promise<never>(() => {}) }
    const [first] = tableFilesConformanceChecks({ create: () => ({ ...inFolder(), files }), timeoutMs: 20 })
    await expect(first!.run()).rejects.toThrow('no answer within 20 ms')
  })
})
