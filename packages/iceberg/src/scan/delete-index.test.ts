/** Which files of deletes are about a data file, rule by rule. */
import { defineObjectStore, isKind, tableFiles, type TableFiles } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import type { DeleteFile } from '../manifests/data-file.ts'
import { deleteFile } from '../manifests/delete-manifest.test-support.ts'
import type { BoundPartitionField, BoundPartitionSpec } from '../partitions/partition-fields.ts'
import { parseTransform } from '../partitions/transform.ts'
import type { PartitionValue } from '../values/datum.ts'
import { deleteIndex } from './delete-index.ts'

const unused = (): never => {
  throw new TypeError('not part of this test')
}
const files: Pick<TableFiles, 'spellings'> = tableFiles(
  defineObjectStore({
    name: 'test',
    root: 'file:///lake/',
    capabilities: { createIfAbsent: true, compareAndSwap: false, multipart: false },
    durability: 'memory',
    listOrder: 'bytes',
    get: unused,
    head: unused,
    put: unused,
    delete: unused,
    list: unused,
  }),
)

const field = (transform: string): BoundPartitionField => ({
  fieldId: 1000,
  name: 'city',
  sourceId: 2,
  transform: parseTransform(transform),
  source: undefined,
  resultType: 'string',
})
/** 0 has no partitions, 1 and 2 have one each by the same field, 3 only what is left of one. */
const specs: readonly BoundPartitionSpec[] = [
  { specId: 0, fields: [] },
  { specId: 1, fields: [field('identity')] },
  { specId: 2, fields: [field('identity')] },
  { specId: 3, fields: [field('void')] },
]

const at = (name: string): string => `file:///lake/t/data/${name}.parquet`
const place = (specId: number, ...partition: PartitionValue[]): Pick<DeleteFile, 'specId' | 'partition'> => ({
  specId,
  partition,
})
const onPath = (lower: string, upper = lower): Partial<DeleteFile> => ({
  lowerBounds: new Map([[2147483546, Buffer.from(lower)]]),
  upperBounds: new Map([[2147483546, Buffer.from(upper)]]),
})

/** Names of those of the files that may be about a data file. */
function about(
  deletes: readonly DeleteFile[],
  {
    name = 'a',
    sequence = 5n,
    ...partition
  }: { name?: string; sequence?: bigint; specId?: number; partition?: readonly PartitionValue[] } = {},
): string[] {
  const index = deleteIndex(deletes, { tableFiles: files, specOf: (specId) => specs[specId]! })
  const file = { filePath: name.includes(':') ? name : at(name), ...place(0), ...partition }
  return index.of(file, sequence).map(({ filePath }) => /([^/]*)\.\w+$/.exec(filePath)![1]!)
}

const code = (work: () => unknown): unknown => {
  try {
    return work()
  } catch (error) {
    return isKind(error, 'corrupt') ? error.code : error
  }
}

describe('by sequence numbers', () => {
  it('positions and vectors are about files that are not newer, values about files that are older', () => {
    const deletes = [4n, 5n, 6n].flatMap((sequence) => [
      deleteFile('positions', `p${sequence}`, sequence),
      deleteFile('equality', `e${sequence}`, sequence),
    ])
    expect(about(deletes)).toEqual(['p5', 'e6', 'p6'])
    const vector = (sequence: bigint): DeleteFile =>
      deleteFile('vector', 'v', sequence, { referencedDataFile: at('a') })
    expect(about([vector(4n)])).toEqual([])
    expect(about([vector(5n)])).toEqual(['v'])
    expect(about([vector(6n)])).toEqual(['v'])
  })

  it('of one number come in the same order, whatever the order of the manifests', () => {
    const deletes = ['b', 'a', 'c'].map((name) => deleteFile('positions', name, 5n))
    expect(about(deletes)).toEqual(['a', 'b', 'c'])
    expect(about(deletes.toReversed())).toEqual(['a', 'b', 'c'])
  })
})

describe('by partitions', () => {
  it('positions are about files of the same partition of the same spec, and of no other', () => {
    const deletes = [
      deleteFile('positions', 'none', 5n),
      deleteFile('positions', 'ams', 5n, place(1, 'ams')),
      deleteFile('positions', 'osl', 5n, place(1, 'osl')),
      deleteFile('positions', 'null', 5n, place(1, null)),
      deleteFile('positions', 'newer', 5n, place(2, 'ams')),
    ]
    expect(about(deletes)).toEqual(['none'])
    expect(about(deletes, place(1, 'ams'))).toEqual(['ams'])
    expect(about(deletes, place(1, null))).toEqual(['null'])
    expect(about(deletes, place(2, 'ams'))).toEqual(['newer'])
    expect(about(deletes, place(2, 'osl'))).toEqual([])
  })

  it('values are about files of the same partition, and of a spec without partitions about all', () => {
    const deletes = [
      deleteFile('equality', 'all', 6n),
      deleteFile('equality', 'ams', 7n, place(1, 'ams')),
      deleteFile('equality', 'void', 8n, place(3, null)),
    ]
    expect(about(deletes, place(1, 'ams'))).toEqual(['all', 'ams', 'void'])
    expect(about(deletes, place(2, 'ams'))).toEqual(['all', 'void'])
    expect(about(deletes, place(1, 'osl'))).toEqual(['all', 'void'])
    expect(about(deletes)).toEqual(['all', 'void'])
  })

  it('what names a file is about it, also where it is listed under another partition or spec', () => {
    const named = { referencedDataFile: at('a'), ...place(1, 'osl') }
    for (const kind of ['vector', 'positions'] as const) {
      expect(about([deleteFile(kind, 'x', 5n, named)], place(1, 'ams'))).toEqual(['x'])
      expect(about([deleteFile(kind, 'x', 5n, named)], place(2, 'osl'))).toEqual(['x'])
      expect(about([deleteFile(kind, 'x', 5n, named)], place(1, 'osl'))).toEqual(['x'])
      expect(about([deleteFile(kind, 'x', 4n, named)], place(1, 'ams'))).toEqual([])
    }
  })
})

describe('by name', () => {
  it('a vector is about its own file alone, and stands in for files of positions', () => {
    const deletes = [
      deleteFile('vector', 'v', 5n, { referencedDataFile: at('a') }),
      deleteFile('positions', 'p', 6n),
      deleteFile('positions', 'q', 6n, { referencedDataFile: at('a') }),
      deleteFile('equality', 'e', 6n),
    ]
    expect(about(deletes)).toEqual(['v', 'e'])
    expect(about(deletes, { name: 'b' })).toEqual(['e', 'p'])
    // Older than the file, it is not about it and stands in for nothing.
    expect(about(deletes, { sequence: 6n })).toEqual(['p', 'q'])
  })

  it('two vectors of one file are damage; of a file that is newer than one of them they are not', () => {
    const deletes = [5n, 6n].map((sequence) =>
      deleteFile('vector', `v${sequence}`, sequence, { referencedDataFile: at('a') }),
    )
    expect(code(() => about(deletes))).toBe('DELETION_VECTORS')
    expect(about(deletes, { name: 'b' })).toEqual([])
    expect(about(deletes, { sequence: 6n })).toEqual(['v6'])
  })

  it('positions that name one file, in the manifest or by their bounds, are about no other', () => {
    const deletes = [
      deleteFile('positions', 'named', 5n, { referencedDataFile: at('a') }),
      deleteFile('positions', 'bounded', 5n, onPath(at('a'))),
    ]
    expect(about(deletes)).toEqual(['bounded', 'named'])
    expect(about(deletes, { name: 'b' })).toEqual([])
  })

  it('goes by the file that is meant, however it is spelled', () => {
    const deletes = [
      deleteFile('positions', 'p', 5n, { referencedDataFile: 'file:/lake/t/data/a.parquet' }),
      deleteFile('positions', 'q', 5n, { referencedDataFile: '/lake/t/data/a.parquet' }),
    ]
    expect(about(deletes)).toEqual(['p', 'q'])
    expect(
      about([deleteFile('vector', 'v', 5n, { referencedDataFile: at('a') })], { name: 'file:/lake/t/data/a.parquet' }),
    ).toEqual(['v'])
    // A file that lies elsewhere is none of the table's.
    expect(about([deleteFile('positions', 'z', 5n, { referencedDataFile: 's3://other/a.parquet' })])).toEqual([])
  })

  it('positions between whose paths a file does not lie are not about it', () => {
    const between = deleteFile('positions', 'p', 5n, onPath(at('b'), at('d')))
    for (const [name, found] of [
      ['a', []],
      ['b', ['p']],
      ['c', ['p']],
      ['d', ['p']],
      ['e', []],
    ] as const)
      expect(about([between], { name })).toEqual(found)
    // Cut short: the lower one down, the upper one up.
    expect(about([deleteFile('positions', 'p', 5n, onPath('file:///lake/t/da', 'file:///lake/t/db'))])).toEqual(['p'])
    // In another spelling the order says nothing.
    const bare = deleteFile('positions', 'p', 5n, onPath('/lake/t/data/b', '/lake/t/data/d'))
    expect(about([bare], { name: 'a' })).toEqual(['p'])
    const contradicting = deleteFile('positions', 'p', 5n, onPath(at('d'), at('b')))
    expect(about([contradicting], { name: 'a' })).toEqual(['p'])
    const oneSided = deleteFile('positions', 'p', 5n, { lowerBounds: onPath(at('b')).lowerBounds! })
    expect(about([oneSided], { name: 'a' })).toEqual(['p'])
  })

  it('are one list for all files that the same of them are about', () => {
    const some = Array.from({ length: 5 }, (_, at) => deleteFile('equality', `e${at}`, BigInt(at + 2)))
    const index = deleteIndex(some, { tableFiles: files, specOf: (specId) => specs[specId]! })
    const about = (name: string, sequenceNumber: bigint): readonly DeleteFile[] =>
      index.of({ filePath: at(name), ...place(0) }, sequenceNumber)
    expect(about('b', 1n)).toBe(about('a', 1n))
    expect(about('b', 1n)).toHaveLength(5)
    expect(about('b', 4n)).toBe(about('a', 4n))
    expect(about('b', 4n)).toHaveLength(2)
  })
})
