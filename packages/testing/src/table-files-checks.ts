import type { TableFiles } from '@moulin/core'
import { expectBytes, expectEqual, expectError, expectTrue } from './assertions.ts'
import { encode } from './object-store-checks.ts'

/** One promise of core's `TableFiles`. Each run gets files of a table that has none yet. */
export interface TableFilesCheck {
  /** The promise in words. */
  readonly name: string
  run(at: TableFilesPlace): Promise<void>
}

/** The files of a table, and how its folder is called. */
export interface TableFilesPlace {
  readonly files: TableFiles
  /** A folder in which there is nothing. No slash at its end, nothing to escape in it. */
  readonly folder: string
  /** Other names of it, by other schemes and spellings; maybe none. */
  readonly others: readonly string[]
  /** Locations that lie in no store of the table; one of them begins like the folder. */
  readonly outside: readonly string[]
}

export const tableFilesChecks: readonly TableFilesCheck[] = [
  {
    name: 'reads what was put by any name of its folder',
    async run({ files, folder, others }) {
      const names = [folder, ...others].map((one) => files.under(one, 'data/one file.parquet'))
      for (const [at, name] of names.entries()) {
        await files.put(name, encode(`by name ${at}`))
        for (const other of names) {
          expectEqual(await textOf(files, other), `by name ${at}`, `what ${other} has after a put to ${name}`)
          expectEqual((await files.head(other))?.size, 9, `the size of ${other}`)
        }
      }
    },
  },
  {
    name: 'reads ranges of what get reads',
    async run({ files, folder }) {
      const name = files.under(folder, 'data/r.bin')
      await files.put(name, encode('0123456789'))
      const { parts } = await files.getRanges(name, [{ start: 7, end: 9 }, { suffix: 1 }, { start: 0, end: 2 }])
      expectEqual(parts.map(decode), ['78', '9', '01'], 'the ranges')
      expectBytes((await files.get(name, { range: { start: 3, end: 5 } })).bytes, encode('34'), 'a range of get')
    },
  },
  {
    name: 'tells what is not there',
    async run({ files, folder }) {
      const name = files.under(folder, 'data/none%20.parquet')
      expectEqual(await files.head(name), undefined, 'head of nothing')
      await expectError(files.get(name), 'not-found', 'get of nothing')
      await expectError(files.getRanges(name, [{ start: 0, end: 1 }]), 'not-found', 'getRanges of nothing')
      expectEqual(await locationsIn(files, `${folder}/`), [], 'a list of nothing')
      expectEqual(await files.deleteMany([name]), { failed: [] }, 'deleting nothing')
    },
  },
  {
    name: 'reads a name raw, and percent-decoded where nothing is there',
    async run({ files, folder }) {
      const [raw, plain] = ['k=a%20b/1', 'k=a b/1'].map((path) => files.under(folder, path)) as [string, string]
      await files.put(plain, encode('plain'))
      expectEqual(await textOf(files, raw), 'plain', 'the decoded name')
      expectEqual((await files.head(raw))?.size, 5, 'its size')
      const [first, second] = ['k=c%20d/1', 'k=c d/1'].map((path) => files.under(folder, path)) as [string, string]
      await files.put(second, encode('decoded'))
      await files.put(first, encode('raw'))
      expectEqual(await textOf(files, first), 'raw', 'the raw name, where both are there')
      expectEqual((await files.head(first))?.size, 3, 'its size')
      expectEqual(await textOf(files, second), 'decoded', 'the other one')
    },
  },
  {
    name: 'reads all ranges of a name from one object',
    async run({ files, folder }) {
      const [raw, plain] = ['k=e%20f/1', 'k=e f/1'].map((path) => files.under(folder, path)) as [string, string]
      await files.put(plain, encode('plain'))
      expectEqual(await textOf(files, raw), 'plain', 'before there is a raw one')
      await files.put(raw, encode('newer one'))
      expectEqual(await textOf(files, raw), 'plain', 'with a raw one that came later')
      expectEqual((await files.head(raw))?.size, 5, 'what head tells of it')
      const [first, second] = ['k=i%20j/1', 'k=i j/1'].map((path) => files.under(folder, path)) as [string, string]
      await files.put(second, encode('plain'))
      expectEqual((await files.head(first))?.size, 5, 'what head tells before there is a raw one')
      await files.put(first, encode('newer one'))
      expectEqual(await textOf(files, first), 'plain', 'what get reads then')
    },
  },
  {
    name: 'writes and deletes names raw only',
    async run({ files, folder }) {
      const [raw, plain] = ['k=g%20h/1', 'k=g h/1'].map((path) => files.under(folder, path)) as [string, string]
      await files.put(raw, encode('raw'))
      expectEqual(await locationsIn(files, `${folder}/`), [files.canonical(raw)], 'after the put of an escaped name')
      await files.put(plain, encode('plain'))
      await files.deleteMany([raw])
      expectEqual(await locationsIn(files, `${folder}/`), [files.canonical(plain)], 'after it was deleted')
      await files.deleteMany([raw])
      expectEqual(await locationsIn(files, `${folder}/`), [files.canonical(plain)], 'after it was deleted once more')
    },
  },
  {
    name: 'creates a file once',
    async run({ files, folder, others }) {
      const create = (name: string): Promise<unknown> => files.put(name, encode('x'), { mode: 'create' })
      await create(files.under(folder, 'metadata/a.avro'))
      for (const one of [folder, ...others])
        await expectError(create(files.under(one, 'metadata/a.avro')), 'exists', `a second create in ${one}`)
    },
  },
  {
    name: 'lists by any name of its folder what begins so, canonically',
    async run({ files, folder, others }) {
      const wanted = ['data/c1-0.parquet', 'data/c1-1.parquet'].map((path) => files.under(folder, path))
      for (const name of [
        ...wanted,
        files.under(folder, 'data/c10.parquet'),
        files.under(folder, 'data2/c1-0.parquet'),
      ])
        await files.put(name, encode('x'))
      const canonical = wanted.map((name) => files.canonical(name))
      for (const one of [folder, ...others])
        expectEqual(await locationsIn(files, files.under(one, 'data/c1-')), canonical, `what begins so in ${one}`)
      expectEqual((await locationsIn(files, `${folder}/data`)).length, 4, 'a prefix is no folder')
    },
  },
  {
    name: 'deletes many by any name of their folder',
    async run({ files, folder, others }) {
      const folders = [folder, ...others]
      const names = Array.from({ length: 20 }, (_, i) => files.under(folders[i % folders.length]!, `data/${i}.parquet`))
      for (const name of names) await files.put(name, encode('x'))
      const kept = names.pop()!
      const twice = [...names, ...names.map((name) => files.canonical(name))]
      expectEqual(await files.deleteMany(twice), { failed: [] }, 'what could not be deleted')
      expectEqual(await locationsIn(files, `${folder}/`), [files.canonical(kept)], 'what is left')
    },
  },
  {
    name: 'refuses what lies elsewhere, before it does anything',
    async run({ files, folder, outside }) {
      const name = files.under(folder, 'data/stays.parquet')
      await files.put(name, encode('x'))
      for (const place of outside) {
        const refuses = (call: Promise<unknown>, what: string): Promise<unknown> =>
          expectError(call, 'invalid', `${what} of ${place}`, 'OUTSIDE_STORE')
        await refuses(files.get(place), 'get')
        await refuses(files.getRanges(place, []), 'getRanges')
        await refuses(files.head(place), 'head')
        await refuses(files.put(place, encode('x')), 'put')
        await refuses(files.deleteMany([name, place]), 'deleteMany')
        await refuses(locationsIn(files, place), 'list')
        await refuses(
          later(() => files.canonical(place)),
          'canonical',
        )
        await refuses(
          later(() => files.spellings(place)),
          'spellings',
        )
        await refuses(
          later(() => files.under(place, 'x')),
          'under',
        )
        expectTrue(!files.isSame(place, name) && !files.isSame(name, place), `${place} is no file of the table`)
      }
      expectEqual(await locationsIn(files, `${folder}/`), [files.canonical(name)], 'what is there after all that')
    },
  },
  {
    name: 'tells whether two names are of one file',
    async run({ files, folder, others }) {
      for (const one of [folder, ...others]) {
        for (const other of [folder, ...others]) {
          const [a, b] = [`${one}/data/x y`, `${other}/data/x y`]
          expectTrue(files.isSame(a, b), `${a} and ${b} are one file`)
          expectEqual(files.canonical(a), files.canonical(b), `the canonical names of ${a} and ${b}`)
          expectTrue(files.isSame(a, `${other}/data/x%20y`), `${a} may be meant by its escaped name in ${other}`)
          expectTrue(!files.isSame(a, `${other}/data/x Y`), `${a} and another file of ${other}`)
        }
      }
    },
  },
  {
    name: 'gives names that stay what they are',
    async run({ files, folder, others }) {
      for (const one of [folder, ...others]) {
        const name = files.under(`${one}/`, 'data/a%2Fb.parquet')
        expectTrue(files.isSame(name, `${one}/data/a%2Fb.parquet`), `${name} is inside of ${one}`)
        const canonical = files.canonical(name)
        expectEqual(files.canonical(canonical), canonical, 'the canonical name of a canonical one')
        const spellings = files.spellings(name)
        expectEqual(spellings, [canonical, files.canonical(`${folder}/data/a/b.parquet`)], 'what it may mean')
        expectEqual(files.spellings(canonical), spellings, 'what its canonical name may mean')
      }
      await expectError(
        later(() => files.under(folder, 'a//b')),
        'invalid',
        'a name that no store takes',
      )
    },
  },
]

async function textOf(files: TableFiles, location: string): Promise<string> {
  return decode((await files.get(location)).bytes)
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

async function locationsIn(files: TableFiles, prefix: string): Promise<string[]> {
  const found: string[] = []
  for await (const { location } of files.list(prefix)) found.push(location)
  return found.sort()
}

async function later(work: () => unknown): Promise<unknown> {
  return work()
}
