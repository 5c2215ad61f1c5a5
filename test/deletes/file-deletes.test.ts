/** What files of deletes delete in one data file, as the table lists them. With the log around them: deleted-rows.test.ts. */
import { zstdCompressSync } from 'node:zlib'
import { defaultLimits, keyOf, silentLogger, tableFiles } from '@moulin/core'
import type { IcebergField, IcebergType, Limits, TableMetadata } from '@moulin/core'
import { parquetWorkers } from '@moulin/format'
import { bindPartitionSpec } from '@moulin/iceberg'
import type { DataFile, DeleteFile, DeletesQuestion, ListedFile, RowMask } from '@moulin/iceberg'
import { hookedStore } from '@moulin/testing'
import { parquetWriteBuffer } from 'hyparquet-writer'
import type { ColumnSource } from 'hyparquet-writer'
import { describe, expect, it } from 'vitest'
import { bitmap32, bitmap64, roaring64 } from '../../packages/format/src/roaring/roaring.test-support.ts'
import { puffinFile } from '../../packages/format/src/puffin/puffin.test-support.ts'
import {
  describedParquet,
  noMetrics,
  positionsFile,
  vectorBlob,
} from '../../packages/iceberg/src/deletes/deletes.test-support.ts'
import type { Value } from '../../packages/iceberg/src/deletes/deletes.test-support.ts'
import { dataFiles, FileRoom } from '../../packages/lake/src/live/data-files.ts'
import { deleteRooms, fileDeletes } from '../../packages/lake/src/live/file-deletes.ts'
import { nameMappingOf } from '../../packages/lake/src/live/name-mappings.ts'

const field = (id: number, name: string, type: IcebergType): IcebergField => ({ id, name, required: false, type })
const idField = field(1, 'id', 'int')
const nameField = field(2, 'name', 'string')

interface Schemas {
  readonly schemas: readonly (readonly IcebergField[])[]
  readonly limits?: Partial<Limits>
  readonly properties?: Readonly<Record<string, string>>
}

/** A table's files, and what is deleted in them. */
function lake({ schemas, limits: some, properties = {} }: Schemas = { schemas: [[idField, nameField]] }) {
  const store = hookedStore()
  const files = tableFiles(store)
  const limits = { ...defaultLimits, ...some }
  const opened = dataFiles({
    tableFiles: files,
    workers: parquetWorkers({ threads: 0 }),
    runtime: { logger: silentLogger },
    room: new FileRoom(limits.openFileBytes),
  })
  const deletesOf = fileDeletes({ tableFiles: files, files: opened, rooms: deleteRooms(limits), limits })
  let metadata = {
    properties,
    'current-schema-id': schemas.length - 1,
    schemas: schemas.map((fields, id) => ({ type: 'struct', 'schema-id': id, fields })),
  } as unknown as TableMetadata
  const uri = (name: string): string => `${store.root}data/${name}`
  let sequence = 1n

  const put = async (name: string, bytes: Uint8Array): Promise<Pick<DataFile, 'filePath' | 'fileSizeBytes'>> => {
    await store.put(keyOf(store, uri(name)), bytes)
    return { filePath: uri(name), fileSizeBytes: BigInt(bytes.length) }
  }
  const deletes = (content: DeleteFile['content'], more: Partial<DeleteFile>): DeleteFile =>
    ({ content, specId: 0, partition: [], sequenceNumber: ++sequence, equalityIds: [], ...more }) as DeleteFile

  return {
    store,
    uri,
    /** The same table with other properties. */
    reload(others: Readonly<Record<string, string>>): void {
      metadata = { ...metadata, properties: others }
    },
    /** It is read with this schema from now on, as an older snapshot is. */
    readWith(schemaId: number): void {
      metadata = { ...metadata, 'current-schema-id': schemaId }
    },
    /** A file without field ids. */
    async bare(name: string, columnData: ColumnSource[]): Promise<DataFile> {
      const stored = await put(name, new Uint8Array(parquetWriteBuffer({ columnData })))
      return {
        ...stored,
        ...noMetrics,
        recordCount: BigInt(columnData[0]!.data.length),
        specId: 0,
        partition: [],
      } as unknown as DataFile
    },
    /** A data file of these rows. */
    async rows(name: string, fields: readonly IcebergField[], rows: readonly (readonly Value[])[]): Promise<DataFile> {
      const { bytes, metrics } = describedParquet(fields, rows)
      const stored = { ...(await put(name, bytes)), ...metrics }
      return { ...stored, recordCount: BigInt(rows.length), specId: 0, partition: [] } as unknown as DataFile
    },
    async positions(
      name: string,
      rows: readonly (readonly [path: string, position: bigint])[],
      more: Partial<DeleteFile> = {},
    ): Promise<DeleteFile> {
      const stored = await put(name, positionsFile(rows))
      return deletes('positions', { ...stored, recordCount: BigInt(rows.length), ...more })
    },
    async equality(
      name: string,
      fields: readonly IcebergField[],
      rows: readonly (readonly Value[])[],
      equalityIds = fields.map(({ id }) => id),
    ): Promise<DeleteFile> {
      const { bytes, metrics } = describedParquet(fields, rows)
      const stored = { ...(await put(name, bytes)), ...metrics }
      return deletes('equality', { ...stored, recordCount: BigInt(rows.length), equalityIds })
    },
    /** One Puffin file with a vector for each of these. */
    async vectors(name: string, about: Readonly<Record<string, readonly number[]>>): Promise<DeleteFile[]> {
      const blobs = Object.entries(about).map(([path, positions]) => ({
        bytes: vectorBlob(roaring64(positions)),
        properties: { 'referenced-data-file': path, cardinality: String(positions.length) },
      }))
      const { bytes, offsets } = puffinFile(blobs)
      const stored = await put(name, bytes)
      return Object.entries(about).map(([referencedDataFile, positions], at) =>
        deletes('vector', {
          ...stored,
          referencedDataFile,
          recordCount: BigInt(positions.length),
          blob: { offset: BigInt(offsets[at]!), sizeBytes: BigInt(blobs[at]!.bytes.length) },
        }),
      )
    },
    /** A Puffin file with this alone. */
    async blob(name: string, blob: Uint8Array, more: Partial<DeleteFile>, codec?: string): Promise<DeleteFile> {
      const { bytes, offsets } = puffinFile([{ bytes: blob, properties: {}, ...(codec && { codec }) }])
      const place = { offset: BigInt(offsets[0]!), sizeBytes: BigInt(blob.length) }
      return deletes('vector', { ...(await put(name, bytes)), blob: place, ...more })
    },
    async mask(
      file: DataFile,
      list: readonly DeleteFile[],
      onRead: (rows: number) => void = () => {},
      signal?: AbortSignal,
    ): Promise<RowMask | undefined> {
      const spec = bindPartitionSpec({ 'spec-id': 0, fields: [] }, [])
      const listed: ListedFile = { file, sequenceNumber: 1n, spec, deletes: list }
      const whole: DeletesQuestion['whole'] = async (call) => {
        const parquet = await opened.open(file, { ...call, mapping: nameMappingOf(metadata) })
        return {
          fields: parquet.fields,
          rowGroups: parquet.rowGroups,
          async read(request) {
            const batch = await parquet.read(request)
            onRead(batch.length)
            return batch
          },
        }
      }
      return await deletesOf({ metadata, listed, whole }, signal === undefined ? {} : { signal })
    },
    async deleted(file: DataFile, list: readonly DeleteFile[], onRead?: (rows: number) => void): Promise<number[]> {
      return rowsIn(await this.mask(file, list, onRead), Number(file.recordCount))
    },
    /** Objects that were read since, with their repeats. */
    async reads(work: () => Promise<unknown>): Promise<string[]> {
      const before = store.calls.length
      await work()
      return store.calls.slice(before).map(({ key }) => key.slice('data/'.length))
    },
  }
}

function rowsIn(mask: RowMask | undefined, count: number): number[] {
  const all = Array.from({ length: count }, (_, row) => row)
  if (mask === undefined) return []
  const left = new Set(mask.leftIn(0, count) ?? all)
  return all.filter((row) => !left.has(row))
}

/** Of which no manifest says what is in it. */
const untold = (file: DeleteFile): DeleteFile => ({ ...file, ...noMetrics })

const tenRows = Array.from({ length: 10 }, (_, at): readonly Value[] => [at, `n${at}`])
const fields = [idField, nameField]

describe('position deletes', () => {
  it('are those of the file that they name, by whatever spelling', async () => {
    const world = lake()
    const a = await world.rows('a b.parquet', fields, tenRows)
    const b = await world.rows('b.parquet', fields, tenRows)
    const path = a.filePath
    const escaped = path.replace('a b', 'a%20b')
    const files = await world.positions('d.parquet', [
      [path, 1n],
      [path, 3n],
      [b.filePath, 0n],
      [`${world.uri('c.parquet')}`, 8n],
    ])
    expect(await world.deleted(a, [files])).toEqual([1, 3])
    expect(await world.deleted(b, [files])).toEqual([0])
    const more = await world.positions('e.parquet', [[escaped, 5n]])
    expect(await world.deleted(a, [files, more])).toEqual([1, 3, 5])
  })

  it('are taken once from a file that is listed again and again', async () => {
    const world = lake({ schemas: [fields], limits: { positionDeleteBytes: 2000 } })
    const a = await world.rows('a.parquet', fields, tenRows)
    const [one, two] = [
      await world.positions('d1.parquet', [[a.filePath, 1n]]),
      await world.equality('e.parquet', [idField], [[4]]),
    ]
    const again = Array.from({ length: 50 }, (_, at) => ({ ...one, sequenceNumber: one.sequenceNumber + BigInt(at) }))
    expect(await world.deleted(a, [...again, two, two])).toEqual([1, 4])
    expect((await world.mask(a, [...again, two, two]))!.key).toBe((await world.mask(a, [one, two]))!.key)
    // Under one name there may be more than one thing.
    const bare = { ...two, equalityIds: [2] }
    await expect(world.deleted(a, [two, bare])).rejects.toMatchObject({ code: 'EQUALITY_FIELD' })
  })

  it('of several files come together, and a file that says nothing of it changes no key', async () => {
    const world = lake()
    const a = await world.rows('a.parquet', fields, tenRows)
    const one = await world.positions('d1.parquet', [[a.filePath, 1n]])
    const two = await world.positions('d2.parquet', [
      [a.filePath, 1n],
      [a.filePath, 9n],
    ])
    const other = await world.positions('d3.parquet', [[world.uri('z.parquet'), 4n]])
    expect(await world.deleted(a, [one, two])).toEqual([1, 9])
    expect(await world.mask(a, [other])).toBeUndefined()
    const key = (await world.mask(a, [one]))!.key
    expect((await world.mask(a, [other, one]))!.key).toBe(key)
    expect((await world.mask(a, [one, two]))!.key).not.toBe(key)
    expect((await world.mask(a, [two, one]))!.key).toBe((await world.mask(a, [one, two]))!.key)
  })

  it('are read once for all files that they are about', async () => {
    const world = lake()
    const files = await Promise.all(['a', 'b', 'c'].map((name) => world.rows(`${name}.parquet`, fields, tenRows)))
    const deletes = await world.positions(
      'd.parquet',
      files.map(({ filePath }, at) => [filePath, BigInt(at)]),
    )
    const reads = await world.reads(() => Promise.all(files.map((file) => world.mask(file, [deletes]))))
    expect(new Set(reads)).toEqual(new Set(['d.parquet']))
    expect(await world.reads(() => Promise.all(files.map((file) => world.mask(file, [deletes]))))).toEqual([])
  })

  it('are read side by side where they are small, however many there are', async () => {
    const world = lake()
    const a = await world.rows('a.parquet', fields, tenRows)
    const large = (name: string): Promise<DeleteFile> =>
      world.positions(name, new Array<[string, bigint]>(100_001).fill([a.filePath, 7n]))
    const small = await Promise.all(
      Array.from({ length: 20 }, (_, at) => world.positions(`s${at}.parquet`, [[a.filePath, BigInt(at % 5)]])),
    )
    const [first, last] = [await large('l1.parquet'), await large('l2.parquet')]
    const reading = new Map<string, number>()
    let [most, mostLarge] = [0, 0]
    const count = ({ key }: { readonly key?: string | undefined }, by: number): void => {
      reading.set(key!, (reading.get(key!) ?? 0) + by)
      const busy = [...reading].filter(([, reads]) => reads > 0).map(([name]) => name)
      most = Math.max(most, busy.length)
      if (busy.some((name) => name.includes('/l'))) mostLarge = Math.max(mostLarge, busy.length)
    }
    world.store.hooks.before = async (call) => {
      count(call as { key?: string }, 1)
      await new Promise((resolve) => setImmediate(resolve))
    }
    world.store.hooks.after = async (call) => count(call as { key?: string }, -1)
    expect(await world.deleted(a, [first, ...small, last])).toEqual([0, 1, 2, 3, 4, 7])
    expect(most).toBeGreaterThan(8)
    expect(mostLarge).toBe(1)
  })

  it('take together no more memory than the limit of one file', async () => {
    const world = lake({ schemas: [fields], limits: { positionDeleteBytes: 30_000 } })
    const a = { ...(await world.rows('a.parquet', fields, tenRows)), recordCount: 2n ** 40n }
    const sparse = (start: number): (readonly [string, bigint])[] =>
      Array.from({ length: 70 }, (_, at) => [a.filePath, BigInt((start + at) * 65_536)])
    const each = await Promise.all(
      Array.from({ length: 20 }, (_, at) => world.positions(`s${at}.parquet`, sparse(at * 70))),
    )
    expect((await world.mask(a, each.slice(0, 5)))!.size).toBe(350)
    const refusal = { kind: 'exhausted', code: 'POSITION_DELETES' }
    await expect(world.mask(a, each)).rejects.toMatchObject(refusal)
  })

  it('are refused where they contradict themselves', async () => {
    const world = lake()
    const a = await world.rows('a.parquet', fields, tenRows)
    const refused = async (file: DeleteFile, code: string, kind = 'corrupt'): Promise<void> =>
      expect(world.mask(a, [file])).rejects.toMatchObject({ kind, code })
    await refused(await world.positions('d1.parquet', [[a.filePath, 10n]]), 'DELETE_BEYOND')
    const elsewhere = { referencedDataFile: world.uri('b.parquet') }
    await refused(await world.positions('d2.parquet', [[a.filePath, 1n]], elsewhere), 'DELETES_ELSEWHERE')
    const here = { referencedDataFile: a.filePath }
    await refused(await world.positions('d3.parquet', [[world.uri('b.parquet'), 1n]], here), 'DELETES_ELSEWHERE')
    await refused(await world.positions('d4.parquet', [[a.filePath, 1n]], { recordCount: 2n }), 'FILE_ROWS')
    const gone = await world.positions('d5.parquet', [[a.filePath, 1n]])
    await world.store.delete('data/d5.parquet')
    await refused(gone, 'FILE_VANISHED', 'not-found')
  })
})

describe('a deletion vector', () => {
  it('is the one at its place in the file, and nothing else of that is fetched', async () => {
    const world = lake()
    const a = await world.rows('a.parquet', fields, tenRows)
    const b = await world.rows('b.parquet', fields, tenRows)
    const [ofA, ofB] = await world.vectors('d.puffin', { [a.filePath]: [0, 1, 2, 9], [b.filePath]: [5] })
    expect(await world.deleted(a, [ofA!])).toEqual([0, 1, 2, 9])
    // Its own bytes; the footer is known.
    expect(await world.reads(() => world.mask(b, [ofB!]))).toEqual(['d.puffin'])
    expect(await world.deleted(b, [ofB!])).toEqual([5])
    expect(await world.reads(() => world.mask(b, [ofB!]))).toEqual([])
  })

  it('is refused where its manifest, its file and the data file disagree', async () => {
    const world = lake()
    const a = await world.rows('a.parquet', fields, tenRows)
    const b = await world.rows('b.parquet', fields, tenRows)
    const [ofA, ofB] = await world.vectors('d.puffin', { [a.filePath]: [1, 2], [b.filePath]: [5, 6] })
    const refused = async (file: DeleteFile, code: string): Promise<void> =>
      expect(world.mask(a, [file])).rejects.toMatchObject({ kind: 'corrupt', code })
    await refused(ofB!, 'DELETES_ELSEWHERE')
    // The manifest says that it is of the one, the file of the other.
    await refused({ ...ofB!, referencedDataFile: a.filePath }, 'DELETES_ELSEWHERE')
    const { offset, sizeBytes } = ofA!.blob!
    await refused({ ...ofA!, blob: { offset: offset + 1n, sizeBytes } }, 'DELETION_VECTOR')
    await refused({ ...ofA!, blob: { offset, sizeBytes: sizeBytes - 1n } }, 'DELETION_VECTOR')
    await refused({ ...ofA!, blob: { offset, sizeBytes: 2n ** 40n } }, 'DELETION_VECTOR')
    await refused({ ...ofA!, blob: undefined }, 'DELETION_VECTOR')
    await refused({ ...ofA!, recordCount: 3n }, 'DELETION_VECTOR')
    const [beyond] = await world.vectors('e.puffin', { [a.filePath]: [10] })
    await refused(beyond!, 'DELETE_BEYOND')
  })

  it('is not taken for positions that are listed under its name, nor the other way round', async () => {
    const world = lake()
    const a = await world.rows('a.parquet', fields, tenRows)
    const [vector] = await world.vectors('d.puffin', { [a.filePath]: [1, 2] })
    const asPositions = { ...vector!, content: 'positions', referencedDataFile: undefined } as const
    expect(await world.deleted(a, [vector!])).toEqual([1, 2])
    await expect(world.mask(a, [asPositions])).rejects.toMatchObject({ kind: 'corrupt', code: 'PARQUET_MAGIC' })
    const positions = await world.positions('d.parquet', [[a.filePath, 3n]])
    expect(await world.deleted(a, [positions])).toEqual([3])
    const asVector = { ...positions, content: 'vector', blob: { offset: 4n, sizeBytes: 50n } } as const
    await expect(world.mask(a, [asVector])).rejects.toMatchObject({ kind: 'corrupt', code: 'DELETION_VECTOR' })
  })

  it('is taken from a file whose footer nobody can read, as its manifest has its place', async () => {
    const world = lake()
    const a = await world.rows('a.parquet', fields, tenRows)
    const [vector] = await world.vectors('d.puffin', { [a.filePath]: [4] })
    const { bytes } = await world.store.get('data/d.puffin')
    await world.store.put(
      'data/d.puffin',
      bytes.map((byte, at) => (at < bytes.length - 4 ? byte : 0)),
    )
    expect(await world.deleted(a, [vector!])).toEqual([4])
  })

  it('is refused where it is compressed, or larger than any of its data file: before it takes memory', async () => {
    const world = lake()
    const a = await world.rows('a.parquet', fields, tenRows)
    const blob = vectorBlob(roaring64([1]))
    const more = { referencedDataFile: a.filePath, recordCount: 1n }
    const refusal = { kind: 'corrupt', code: 'DELETION_VECTOR' }
    const bytes = new Uint8Array(zstdCompressSync(blob))
    const compressed = await world.blob('d1.puffin', bytes, more, 'zstd')
    const message = expect.stringContaining('is compressed with zstd') as string
    await expect(world.mask(a, [compressed])).rejects.toMatchObject({ ...refusal, message })
    const large = await world.blob('d2.puffin', vectorBlob(new Uint8Array(300_000)), more)
    const reads = await world.reads(() => expect(world.mask(a, [large])).rejects.toMatchObject(refusal))
    expect(reads).toEqual([])
  })

  it('is kept as it is stored: that of a hundred million rows is no larger than its bytes', async () => {
    const world = lake({ schemas: [fields], limits: { rowMaskBytes: 4096 } })
    const a = { ...(await world.rows('a.parquet', fields, tenRows)), recordCount: 100_000_000n }
    const runs = [[0, 65_535]] as const
    const blob = vectorBlob(bitmap64([[0, bitmap32(Array.from({ length: 1500 }, (_, key) => ({ key, runs })))]]))
    const count = 1500 * 65_536
    const { bytes, offsets } = puffinFile([{ bytes: blob }])
    await world.store.put('data/d.puffin', bytes)
    const vector = {
      content: 'vector',
      filePath: world.uri('d.puffin'),
      fileSizeBytes: BigInt(bytes.length),
      recordCount: BigInt(count),
      sequenceNumber: 2n,
      referencedDataFile: a.filePath,
      blob: { offset: BigInt(offsets[0]!), sizeBytes: BigInt(blob.length) },
    } as unknown as DeleteFile
    const mask = (await world.mask(a, [vector]))!
    expect([mask.size, mask.countIn(count - 1, count + 1)]).toEqual([count, 1])
    expect(mask.leftIn(count - 1, count + 1)).toEqual(Int32Array.of(1))
  })
})

describe('deletes of several kinds', () => {
  it('of rows that the data file does not have are refused before they come together, however many they stand for', async () => {
    const world = lake()
    const a = await world.rows('a.parquet', fields, tenRows)
    // A quarter of a billion positions in 57 kB.
    const containers = Array.from({ length: 4096 }, (_, key) => ({ key, runs: [[0, 65_535]] as const }))
    const blob = vectorBlob(bitmap64([[0, bitmap32(containers)]]))
    const recordCount = 4096n * 65_536n
    const vector = await world.blob('d.puffin', blob, { referencedDataFile: a.filePath, recordCount })
    const others = await world.positions('p.parquet', [[a.filePath, 3n]])
    const byValue = await world.equality('e.parquet', [nameField], [['n1']])
    const begun = performance.now()
    for (const other of [others, byValue]) {
      const refusal = { kind: 'corrupt', code: 'DELETE_BEYOND' }
      await expect(world.mask(a, [vector, other])).rejects.toMatchObject(refusal)
    }
    expect(performance.now() - begun).toBeLessThan(2_000)
  })
})

describe('equality deletes', () => {
  it('of which there are many are gathered for one data file at a time', async () => {
    const world = lake()
    const names = ['a', 'b', 'c']
    const files = await Promise.all(names.map((name) => world.rows(`${name}.parquet`, fields, tenRows)))
    const keys = Array.from({ length: 100_001 }, (_, at) => [at + 5])
    const [many, few] = [
      await world.equality('m.parquet', [idField], keys),
      await world.equality('f.parquet', [idField], [[1]]),
    ]
    const events: string[] = []
    const masksBy = async (deletes: readonly DeleteFile[]): Promise<string> => {
      events.length = 0
      const masks = files.map(async (file, at) => {
        const rows = await world.deleted(file, deletes, () => events.push(names[at]!))
        events.push(names[at]!.toUpperCase())
        return rows
      })
      expect(new Set((await Promise.all(masks)).map(String)).size).toBe(1)
      return events.join('')
    }
    expect(await masksBy([many])).toBe('aAbBcC')
    expect((await masksBy([few])).slice(0, 3)).toBe('abc')
    // One whose reader gives up leaves its turn to the next.
    const stop = new AbortController()
    const [first, second] = [
      world.mask(files[0]!, [few, many]),
      world.mask(files[1]!, [few, many], undefined, stop.signal),
    ]
    stop.abort()
    await expect(second).rejects.toMatchObject({ kind: 'aborted' })
    expect((await first)!.size).toBe(6)
    expect(await world.deleted(files[2]!, [few, many])).toEqual([1, 5, 6, 7, 8, 9])
  })

  it('are looked for anew where the file is listed in another partition, which may tell columns of it', async () => {
    const world = lake()
    const a = await world.rows('a.parquet', fields, tenRows)
    const deletes = await world.equality('d.parquet', [idField], [[4]])
    const reads: number[] = []
    const maskIn = (partition: DataFile['partition']): Promise<RowMask | undefined> =>
      world.mask({ ...a, partition }, [deletes], (rows) => reads.push(rows))
    const oslo = await maskIn(['Oslo'])
    expect(await maskIn(['Oslo'])).toBe(oslo)
    expect(reads).toEqual([10])
    const bergen = await maskIn(['Bergen'])
    expect(reads).toEqual([10, 10])
    expect(bergen!.key).not.toBe(oslo!.key)
  })

  it('compare null with null, NaN with NaN, and −0 not with 0', async () => {
    const [number, text] = [field(1, 'x', 'double'), nameField]
    const world = lake({ schemas: [[number, text]] })
    const rows: readonly (readonly Value[])[] = [
      [NaN, 'a'],
      [-0, 'a'],
      [0, 'a'],
      [null, 'a'],
      [null, null],
      [1.5, null],
    ]
    const a = await world.rows('a.parquet', [number, text], rows)
    const by = async (...keys: readonly (readonly Value[])[]): Promise<number[]> =>
      world.deleted(a, [await world.equality(`e${Math.abs(keys.length)}-${String(keys)}.parquet`, [number], keys)])
    expect(await by([NaN])).toEqual([0])
    expect(await by([0])).toEqual([2])
    expect(await by([null], [-0])).toEqual([1, 3, 4])
    const both = await world.equality(
      'both.parquet',
      [number, text],
      [
        [null, null],
        [1.5, 'a'],
      ],
    )
    expect(await world.deleted(a, [both])).toEqual([4])
  })

  it('compare each set of columns by itself, and delete what any of them names', async () => {
    const world = lake()
    const a = await world.rows('a.parquet', fields, tenRows)
    const byId = await world.equality('e1.parquet', [idField], [[3], [77]])
    const more = await world.equality('e2.parquet', [idField], [[4]])
    const byName = await world.equality('e3.parquet', [nameField], [['n9'], ['n3']])
    const byBoth = await world.equality('e4.parquet', fields, [
      [1, 'n2'],
      [2, 'n2'],
    ])
    expect(await world.deleted(a, [byId, more, byName, byBoth])).toEqual([2, 3, 4, 9])
    expect(await world.mask(a, [await world.equality('e5.parquet', [idField], [[77]])])).toBeUndefined()
    const positions = await world.positions('d.parquet', [[a.filePath, 0n]])
    expect(await world.deleted(a, [positions, byId])).toEqual([0, 3])
  })

  it('compare only the columns that they name, whatever else their files have', async () => {
    const world = lake()
    const a = await world.rows('a.parquet', fields, tenRows)
    expect(await world.deleted(a, [await world.equality('e.parquet', fields, [[5, 'other']], [1])])).toEqual([5])
  })

  it('go by ids: renamed, promoted, dropped and later columns are compared as they are in the newest schema that has them', async () => {
    const [oldId, newId] = [idField, field(1, 'number', 'long')]
    const added = field(3, 'added', 'string')
    const world = lake({
      schemas: [
        [oldId, nameField],
        [newId, added],
      ],
    })
    const a = await world.rows('a.parquet', [oldId, nameField], tenRows)
    const b = await world.rows(
      'b.parquet',
      [newId, added],
      [
        [1n, 'x'],
        [2n ** 40n, null],
      ],
    )
    const byOld = await world.equality('e1.parquet', [oldId], [[1]])
    const byNew = await world.equality('e2.parquet', [newId], [[2n ** 40n], [2n]])
    expect(await world.deleted(a, [byOld, byNew])).toEqual([1, 2])
    expect(await world.deleted(b, [byOld, byNew])).toEqual([0, 1])
    expect(await world.deleted(a, [await world.equality('e3.parquet', [nameField], [['n7']])])).toEqual([7])
    // Rows from before a column was added have null there.
    const byAdded = await world.equality('e4.parquet', [added], [[null]])
    expect(await world.deleted(a, [byAdded])).toHaveLength(10)
    expect(await world.deleted(b, [byAdded])).toEqual([1])
  })

  it('compare a row from before a column was added by its initial default', async () => {
    const large = 2n ** 60n
    const weight = { ...field(3, 'weight', 'long'), 'initial-default': large }
    const kind = { ...field(4, 'kind', 'string'), 'initial-default': 'plain' }
    const world = lake({ schemas: [[idField], [idField, weight, kind]] })
    const a = await world.rows('a.parquet', [idField], [[1], [2]])
    const b = await world.rows(
      'b.parquet',
      [idField, weight, kind],
      [
        [3, null, 'plain'],
        [4, large, 'other'],
      ],
    )
    const byWeight = await world.equality('e1.parquet', [weight], [[large]])
    const byBoth = await world.equality(
      'e2.parquet',
      [idField, kind],
      [
        [2, 'plain'],
        [3, 'plain'],
        [4, 'plain'],
      ],
    )
    const byNull = await world.equality('e3.parquet', [weight], [[null]])
    expect([await world.deleted(a, [byWeight]), await world.deleted(b, [byWeight])]).toEqual([[0, 1], [1]])
    expect([await world.deleted(a, [byBoth]), await world.deleted(b, [byBoth])]).toEqual([[1], [0]])
    expect([await world.deleted(a, [byNull]), await world.deleted(b, [byNull])]).toEqual([[], [0]])
  })

  it("compare by the table's name mapping in files without field ids", async () => {
    const properties: Record<string, string> = {}
    const world = lake({ schemas: [fields], properties })
    const named = (rows: readonly number[], other: readonly number[]): ColumnSource[] => [
      { name: 'a', type: 'INT32', data: Int32Array.from(rows) },
      { name: 'b', type: 'INT32', data: Int32Array.from(other) },
    ]
    const a = await world.bare('a.parquet', named([1, 2, 3], [7, 8, 9]))
    const deletes = { ...(await world.bare('e.parquet', named([2, 7], [9, 9]))), content: 'equality', equalityIds: [1] }
    const deleted = (): Promise<number[]> =>
      world.deleted(a, [{ ...deletes, sequenceNumber: 2n } as unknown as DeleteFile])
    await expect(deleted()).rejects.toMatchObject({ kind: 'unsupported', code: 'PARQUET_FIELD_IDS' })
    const name = 'schema.name-mapping.default'
    properties[name] = JSON.stringify([{ 'field-id': 1, names: ['a'] }])
    expect(await deleted()).toEqual([1])
    world.reload({ ...properties, [name]: JSON.stringify([{ 'field-id': 1, names: ['b'] }]) })
    expect(await deleted()).toEqual([2])
  })

  it('compare members of structs', async () => {
    const place = field(5, 'place', { type: 'struct', fields: [field(6, 'x', 'int'), field(7, 'y', 'string')] })
    const onlyX = field(5, 'place', { type: 'struct', fields: [field(6, 'x', 'int')] })
    const world = lake({ schemas: [[place]] })
    const rows: readonly (readonly Value[])[] = [[{ x: 1, y: 'a' }], [{ x: null, y: 'b' }], [null], [{ x: 2, y: null }]]
    const a = await world.rows('a.parquet', [place], rows)
    const by = async (name: string, ...keys: readonly Value[]): Promise<number[]> =>
      world.deleted(a, [
        await world.equality(
          name,
          [onlyX],
          keys.map((key) => [key]),
          [6],
        ),
      ])
    expect(await by('e1.parquet', { x: 2 }, { x: 3 })).toEqual([3])
    expect(await by('e2.parquet', { x: null })).toEqual([1])
    expect(await by('e3.parquet', null)).toEqual([2])
  })

  it('are read once, and the data file once for what they delete in it', async () => {
    const world = lake()
    const a = await world.rows('a.parquet', fields, tenRows)
    const b = await world.rows('b.parquet', fields, tenRows)
    const deletes = [
      await world.equality('e1.parquet', [idField], [[3]]),
      await world.equality('e2.parquet', [idField], [[4]]),
    ]
    await world.mask(a, deletes)
    expect(await world.reads(() => world.mask(a, deletes))).toEqual([])
    expect(new Set(await world.reads(() => world.mask(b, deletes)))).toEqual(new Set(['b.parquet']))
  })

  it('are not opened where manifests say that they are about no row of the file', async () => {
    const world = lake()
    const a = await world.rows('a.parquet', fields, tenRows)
    const files = await Promise.all(
      Array.from({ length: 12 }, (_, at) => world.equality(`e${at}.parquet`, [idField], [[at * 4], [at * 4 + 1]])),
    )
    const byName = await world.equality('n0.parquet', fields, [[5, 'o']])
    const nulls = await world.equality('n1.parquet', [nameField], [[null]])
    const opened = await world.reads(async () => {
      expect(await world.deleted(a, [...files, byName, nulls])).toEqual([0, 1, 4, 5, 8, 9])
    })
    expect([...new Set(opened)].sort()).toEqual(['a.parquet', 'e0.parquet', 'e1.parquet', 'e2.parquet'])
    // Where nothing is left, the data file is not either.
    const b = await world.rows('b.parquet', fields, tenRows)
    expect(await world.reads(() => world.mask(b, [...files.slice(3), byName, nulls]))).toEqual([])
    // And with nothing said, all of them are.
    const all = await world.reads(async () => {
      expect(await world.deleted(b, files.map(untold))).toEqual([0, 1, 4, 5, 8, 9])
    })
    expect(new Set(all).size).toBe(10)
  })

  it('are refused where they name no column of the table, or their file has not what they name', async () => {
    const world = lake()
    const a = await world.rows('a.parquet', fields, tenRows)
    const unknown = await world.equality('e1.parquet', [idField], [[1]], [99])
    await expect(world.mask(a, [unknown])).rejects.toMatchObject({ kind: 'corrupt', code: 'EQUALITY_FIELD' })
    const lacking = await world.equality('e2.parquet', [idField], [[1]], [2])
    await expect(world.mask(a, [lacking])).rejects.toMatchObject({ kind: 'corrupt', code: 'EQUALITY_FIELD' })
  })

  it('compare as the schema says that is read with, where an older one has another column by that id', async () => {
    const [before, after] = [field(1, 'id', 'long'), field(1, 'id', 'string')]
    const world = lake({ schemas: [[before], [after]] })
    const a = await world.rows('a.parquet', [before], [[1n], [2n], [3n]])
    const deletes = await world.equality('e.parquet', [before], [[2n]])
    world.readWith(0)
    expect(await world.deleted(a, [deletes])).toEqual([1])
  })

  it('are refused for a member of a struct that their own file lacks', async () => {
    const place = (...members: readonly IcebergField[]): IcebergField =>
      field(5, 'place', { type: 'struct', fields: members })
    const [x, y] = [field(6, 'x', 'int'), field(7, 'y', 'int')]
    const world = lake({ schemas: [[place(x, y)]] })
    const a = await world.rows('a.parquet', [place(x, y)], [[{ x: 1, y: 2 }], [{ x: null, y: 3 }]])
    const lacking = await world.equality('e.parquet', [place(y)], [[{ y: 99 }]], [6])
    await expect(world.mask(a, [lacking])).rejects.toMatchObject({ kind: 'corrupt', code: 'EQUALITY_FIELD' })
  })

  it('change no key and keep what is known of the file where they delete nothing more in it', async () => {
    const world = lake()
    const a = await world.rows('a.parquet', fields, tenRows)
    const first = await world.equality('e1.parquet', [idField], [[3], [4]])
    const others = await world.equality('e2.parquet', [idField], [[4711]])
    const again = await world.equality('e3.parquet', [idField], [[3]])
    const more = await world.equality('e4.parquet', [idField], [[5]])
    const { key } = (await world.mask(a, [first]))!
    expect((await world.mask(a, [first, others]))!.key).toBe(key)
    expect((await world.mask(a, [first, others, again]))!.key).toBe(key)
    expect((await world.mask(a, [first, others, again, more]))!.key).not.toBe(key)
  })

  it('take memory by their keys, however often they delete the same, and for each data file by itself', async () => {
    const world = lake({ schemas: [fields], limits: { equalityDeleteBytes: 2000 } })
    const [old, young] = await Promise.all(['a.parquet', 'b.parquet'].map((name) => world.rows(name, fields, tenRows)))
    const hot = await Promise.all(
      Array.from({ length: 19 }, (_, at) => world.equality(`h${at}.parquet`, [idField], [[7]])),
    )
    expect(await world.deleted(old!, hot)).toEqual([7])
    // Too much about the old file, and the last of it about the young one as well, at the same time.
    const texts = Array.from({ length: 8 }, (_, at) => `${at}`.padEnd(400, 'x'))
    const told = texts.map((text, at) => world.equality(`t${at}.parquet`, [nameField], [[text]]))
    const all = (await Promise.all(told)).map(untold)
    const [tooMuch, few] = await Promise.allSettled([world.mask(old!, all), world.deleted(young!, all.slice(-2))])
    expect(tooMuch).toMatchObject({ status: 'rejected', reason: { code: 'EQUALITY_DELETES' } })
    expect(few).toEqual({ status: 'fulfilled', value: [] })
  })

  it('read a data file in steps, as a scan does', async () => {
    const world = lake({ schemas: [[idField]] })
    const rows = Array.from({ length: 150_000 }, (_, at) => [at])
    const a = await world.rows('a.parquet', [idField], rows)
    const deletes = await world.equality('e.parquet', [idField], [[0], [65_536], [149_999]])
    const steps: number[] = []
    expect(await world.deleted(a, [deletes], (length) => steps.push(length))).toEqual([0, 65_536, 149_999])
    expect(steps).toEqual([65_536, 65_536, 18_928])
  })

  it('take no more memory than the limit', async () => {
    const world = lake({ schemas: [fields], limits: { equalityDeleteBytes: 1000 } })
    const a = await world.rows('a.parquet', fields, tenRows)
    const refusal = { kind: 'exhausted', code: 'EQUALITY_DELETES', context: { equalityDeleteBytes: 1000 } }
    const many = await world.equality(
      'e1.parquet',
      [idField],
      Array.from({ length: 20 }, (_, at) => [at]),
    )
    await expect(world.mask(a, [many])).rejects.toMatchObject({ ...refusal, context: { equalityDeleteBytes: 1000 } })
    const long = untold(await world.equality('e2.parquet', [nameField], [['x'.repeat(600)], ['y'.repeat(600)]]))
    await expect(world.mask(a, [long])).rejects.toMatchObject(refusal)
    const parts = ['x', 'y'].map((text, at) => world.equality(`e${at + 3}.parquet`, [nameField], [[text.repeat(600)]]))
    const both = (await Promise.all(parts)).map(untold)
    await expect(world.mask(a, both)).rejects.toMatchObject(refusal)
    // Each by itself is not too much, and then the last one is kept.
    for (const part of both) expect(await world.mask(a, [part])).toBeUndefined()
    await expect(world.mask(a, both)).rejects.toMatchObject(refusal)
    const few = await world.equality('e5.parquet', [nameField], [['n1'], ['n2']])
    expect(await world.deleted(a, [few])).toEqual([1, 2])
  })
})
