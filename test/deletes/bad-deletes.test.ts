/**
 * Deletes that nobody can understand: whoever reads the table is told which and why; what is sent, hot and followed is none the worse,
 * nothing is lost, and with the next snapshot that can be read all is well.
 */
import { objectStoreCatalog } from '@moulin/catalog'
import { keyOf, tableFiles, tableIdentifier } from '@moulin/core'
import type { IcebergField, Limits, Log, ObjectStore, Topic } from '@moulin/core'
import { currentSchema, planScan } from '@moulin/iceberg'
import { hookedStore } from '@moulin/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { bytesOf, machine, valuesOf } from '../log/machine.ts'
import { openLake } from '../limits/lake-trial.ts'
import { roaring64 } from '../../packages/format/src/roaring/roaring.test-support.ts'
import { puffinFile } from '../../packages/format/src/puffin/puffin.test-support.ts'
import { vectorBlob } from '../../packages/iceberg/src/deletes/deletes.test-support.ts'
import { commitDeletes, newEquality, newPositions, newVectors } from './foreign-deletes.ts'
import type { ForeignTable, NewDeletes } from './foreign-deletes.ts'

const open: Log[] = []
afterEach(async () => {
  for (const log of open.splice(0)) await log.close()
})

interface About {
  readonly folder: string
  readonly path: string
  readonly offset: IcebergField
  readonly store: ObjectStore
}

interface Bad {
  readonly what: string
  readonly kind: string
  readonly code: string
  /** What the release is told, where it is another thing. */
  readonly held?: { readonly kind: string; readonly code: string }
  readonly limits?: Partial<Limits>
  readonly make: (about: About) => NewDeletes
  /** After the commit. */
  readonly spoil?: (about: About) => Promise<unknown>
}

const changed = (made: NewDeletes, file: Partial<NewDeletes['files'][number]>): NewDeletes => ({
  ...made,
  files: made.files.map((each) => ({ ...each, ...file })),
})
const vector = ({ folder, path }: About, positions: readonly number[]): NewDeletes =>
  newVectors(`${folder}.puffin`, new Map([[path, positions]]))
/** A Puffin file whose one blob is these bytes, as its manifest says it is. */
const ofBlob = ({ folder, path }: About, blob: Uint8Array, count: number, isListed = true): NewDeletes => {
  const { bytes, offsets } = puffinFile([{ bytes: blob, properties: { 'referenced-data-file': path } }])
  const none = puffinFile([]).bytes
  const file = {
    ...newVectors(`${folder}.puffin`, new Map([[path, [0]]])).files[0]!,
    recordCount: BigInt(count),
    fileSizeBytes: BigInt(isListed ? bytes.length : none.length),
    blob: { offset: BigInt(offsets[0]!), sizeBytes: BigInt(blob.length) },
  }
  return { bytes: isListed ? bytes : none, files: [file] }
}
const equality = ({ folder, offset }: About, ids?: readonly number[]): NewDeletes =>
  newEquality(`${folder}.parquet`, [offset], [[1n], [2n]], ids)

/** As {@link commitDeletes} names it. */
const manifestOf = ({ store, folder }: About): string =>
  keyOf(store, `${folder.replace('/data/', '/metadata/')}-deletes.avro`)

const bad: readonly Bad[] = [
  {
    what: 'a vector of another data file, by its own file',
    kind: 'corrupt',
    code: 'DELETES_ELSEWHERE',
    make: ({ folder, path }) =>
      changed(newVectors(`${folder}.puffin`, new Map([[`${path}.other`, [1]]])), { referencedDataFile: path }),
  },
  {
    what: 'a vector that is not in its file',
    kind: 'corrupt',
    code: 'DELETION_VECTOR',
    make: (about) => ofBlob(about, vectorBlob(roaring64([1])), 1, false),
  },
  {
    what: 'a vector whose bitmap is cut',
    kind: 'corrupt',
    code: 'ROARING',
    make: (about) => ofBlob(about, vectorBlob(roaring64([1, 2]).subarray(0, 25)), 2),
  },
  {
    what: 'a vector that states 2^64 bitmaps',
    kind: 'corrupt',
    code: 'ROARING',
    make: (about) => ofBlob(about, vectorBlob(new Uint8Array(8).fill(0xff)), 2),
  },
  {
    what: 'a vector of rows that the data file does not have',
    kind: 'corrupt',
    code: 'DELETE_BEYOND',
    make: (about) => vector(about, [1, 2 ** 40]),
  },
  {
    what: 'positions of another data file than their manifest says',
    kind: 'corrupt',
    code: 'DELETES_ELSEWHERE',
    make: ({ folder, path }) =>
      changed(newPositions(`${folder}.parquet`, new Map([[`${path}.other`, [1]]])), { referencedDataFile: path }),
  },
  {
    what: 'a file of positions that is gone',
    kind: 'corrupt',
    code: 'FILE_MISSING',
    held: { kind: 'not-found', code: 'FILE_VANISHED' },
    make: ({ folder, path }) => newPositions(`${folder}.parquet`, new Map([[path, [1]]])),
    spoil: ({ folder, store }) => store.delete(keyOf(store, `${folder}.parquet`)),
  },
  {
    what: 'a file of positions that is cut',
    kind: 'corrupt',
    code: 'FILE_SIZE',
    make: ({ folder, path }) => newPositions(`${folder}.parquet`, new Map([[path, [1]]])),
    async spoil({ folder, store }) {
      const key = keyOf(store, `${folder}.parquet`)
      await store.put(key, (await store.get(key)).bytes.slice(0, 50))
    },
  },
  {
    what: 'equality deletes of a column that no schema has',
    kind: 'corrupt',
    code: 'EQUALITY_FIELD',
    make: (about) => equality(about, [4711]),
  },
  {
    what: 'more equality deletes than the limit',
    kind: 'exhausted',
    code: 'EQUALITY_DELETES',
    limits: { equalityDeleteBytes: 100 },
    make: (about) => equality(about),
  },
  {
    what: 'two vectors of one data file',
    kind: 'corrupt',
    code: 'DELETION_VECTORS',
    make: (about) => {
      const [one, other] = [vector(about, [1]), vector({ ...about, folder: `${about.folder}-2` }, [1])]
      // Both are in the one file.
      return { bytes: one.bytes, files: [...one.files, ...changed(other, { filePath: one.files[0]!.filePath }).files] }
    },
  },
  {
    what: 'a manifest of deletes that is gone',
    kind: 'corrupt',
    code: 'FILE_MISSING',
    held: { kind: 'not-found', code: 'TABLE_FILE' },
    make: (about) => vector(about, [1]),
    spoil: (about) => about.store.delete(manifestOf(about)),
  },
  {
    what: 'a manifest of deletes that is cut',
    kind: 'corrupt',
    code: 'MANIFEST_LENGTH',
    make: (about) => vector(about, [1]),
    async spoil(about) {
      const { bytes } = await about.store.get(manifestOf(about))
      await about.store.put(manifestOf(about), bytes.slice(0, -20))
    },
  },
]

const sent = (topic: Topic<Uint8Array>, text: string): Promise<unknown> => {
  const producer = topic.producer({ lingerMs: 0 })
  return Promise.all([producer.send({ value: bytesOf(text) }), producer.close()])
}

/** About the rows that are in the table by now. */
async function commitBad(
  foreign: ForeignTable,
  { make, spoil }: Pick<Bad, 'make'> & { readonly spoil?: Bad['spoil'] | undefined },
): Promise<void> {
  const { store, catalog, table } = foreign
  const { metadata } = await catalog.loadTable(tableIdentifier(table))
  const offset = currentSchema(metadata).fields.find(({ name }) => name === '_kafka_offset')!
  const paths: string[] = []
  for await (const { file } of planScan({ tableFiles: tableFiles(store), metadata })) paths.push(file.filePath)
  const about: About = { folder: `${metadata.location}/data/bad`, path: paths[0]!, offset, store }
  await commitDeletes(foreign, 'bad', (folder) => [make({ ...about, folder })])
  await spoil?.(about)
}

describe('a table with deletes that cannot be read', () => {
  it.each(bad)('refuses $what, by name and in its reads alone', async ({ kind, code, limits = {}, make, spoil }) => {
    const store = hookedStore()
    const on = machine()
    const log = await openLake(on, limits, { store })
    open.push(log)
    const topic = (await log.ensureTopic('t', { partitionBy: [] })) as Topic<Uint8Array>
    for (const text of ['a', 'b', 'c']) await sent(topic, text)
    await topic.tier()
    await log.releaseNow()
    await sent(topic, 'hot')

    const foreign = { store, catalog: objectStoreCatalog({ store, runtime: on.runtime() }), table: 'default.t' }
    await commitBad(foreign, { make, spoil })

    const refusal = { kind, code, message: expect.stringMatching(/\/data\/|-deletes\.avro/) as string }
    const own = log.topic<Uint8Array>('t')
    for (const reader of [topic, await own]) {
      await expect(valuesOf(reader)).rejects.toMatchObject(refusal)
      await expect(reader.scan().toArray()).rejects.toMatchObject(refusal)
      await expect(reader.scan().count()).rejects.toMatchObject(refusal)
      await expect(reader.audit()).rejects.toMatchObject(refusal)
    }
    // Sends and hot reads go on, and so does what follows.
    const tail = topic.read({ from: 3n })[Symbol.asyncIterator]()
    expect(Buffer.from((await tail.next()).value!.bytes!).toString()).toBe('hot')
    const next = tail.next()
    await sent(topic, 'later')
    expect(Buffer.from((await next).value!.bytes!).toString()).toBe('later')
    await tail.return?.()
    // Nothing is lost: what is tiered meanwhile is there once all can be read.
    expect((await topic.tier()).rows).toBe(2)
    await commitDeletes(foreign, 'none', () => [])
    await log.releaseNow()
    expect(await valuesOf(topic)).toEqual(['a', 'b', 'c', 'hot', 'later'])
    expect((await topic.audit({ deep: true })).clean).toBe(true)
  })

  it.each(bad)('keeps the write-ahead copy of the rows behind $what, and says why', async (each) => {
    const { kind, code, limits = {} } = each
    const store = hookedStore()
    const on = machine()
    const log = await openLake(on, limits, { store })
    open.push(log)
    const topic = (await log.ensureTopic('t', { partitionBy: [] })) as Topic<Uint8Array>
    for (const text of ['a', 'b', 'c']) await sent(topic, text)
    await topic.tier()
    const foreign = { store, catalog: objectStoreCatalog({ store, runtime: on.runtime() }), table: 'default.t' }
    await commitBad(foreign, each)

    const refusal = each.held ?? { kind, code }
    await expect(log.releaseNow()).rejects.toMatchObject(refusal)
    expect(topic.stats()).toMatchObject({ lastError: refusal, stoppedBy: null, missingFiles: [] })
    // All of it is read hot, and goes on.
    expect(await valuesOf(topic)).toEqual(['a', 'b', 'c'])
    await sent(topic, 'later')
    expect((await topic.tier()).rows).toBe(1)
    await expect(log.releaseNow()).rejects.toMatchObject(refusal)
    expect(await valuesOf(topic)).toEqual(['a', 'b', 'c', 'later'])

    await commitDeletes(foreign, 'none', () => [])
    await log.releaseNow()
    expect(topic.stats()).toMatchObject({ lastError: null })
    expect(await valuesOf(topic)).toEqual(['a', 'b', 'c', 'later'])
    expect((await topic.audit({ deep: true })).clean).toBe(true)
  })
})
