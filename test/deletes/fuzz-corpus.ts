/** Sound files of deletes, and what becomes of them when they are damaged. */
import { crc32 } from 'node:zlib'
import type { IcebergField } from '@moulin/core'
import { Dice } from '../parquet/dice.ts'
import { mapFile } from '../parquet/file-map.ts'
import type { FileMap } from '../parquet/file-map.ts'
import { mutant } from '../parquet/mutations.ts'
import { bitmap32, bitmap64, roaring64 } from '../../packages/format/src/roaring/roaring.test-support.ts'
import { puffinFile } from '../../packages/format/src/puffin/puffin.test-support.ts'
import { parquetOf, positionsFile, vectorBlob } from '../../packages/iceberg/src/deletes/deletes.test-support.ts'
import type { Value } from '../../packages/iceberg/src/deletes/deletes.test-support.ts'

export const DATA_FILE = 'memory://lake/data/a.parquet'
/** Rows of the data file by its manifest; positions are below. */
export const DATA_ROWS = 140_000n

export const dataFields: readonly IcebergField[] = [
  { id: 1, name: 'id', required: false, type: 'long' },
  { id: 2, name: 'name', required: false, type: 'string' },
  { id: 3, name: 'share', required: false, type: 'double' },
]

/** Enough rows for keys of every kind. */
export const dataRows: readonly (readonly Value[])[] = Array.from({ length: 300 }, (_, at) => [
  at % 7 === 0 ? null : BigInt(at),
  at % 5 === 0 ? null : `n${at % 40}`,
  at % 3 === 0 ? NaN : at / 8,
])

export interface Sound {
  readonly name: string
  readonly content: 'positions' | 'vector' | 'equality'
  readonly bytes: Uint8Array
  readonly rows: number
  readonly equalityIds: readonly number[]
  /** Of a vector: where its blob lies. */
  readonly blob: { readonly offset: number; readonly sizeBytes: number } | undefined
  /** Of a Parquet file. */
  readonly map: FileMap | undefined
}

export interface Input {
  readonly of: Sound
  readonly how: string
  readonly bytes: Uint8Array
  readonly blob: Sound['blob']
  /** Only bytes under a checksum were changed: deleting must be what it was, or be refused. */
  readonly mustNotLie: boolean
}

const range = (from: number, to: number, step = 1): number[] =>
  Array.from({ length: Math.ceil((to - from) / step) }, (_, at) => from + at * step)

export function soundFiles(): readonly Sound[] {
  const paths = ['memory://lake/data/0.parquet', DATA_FILE, 'memory://lake/data/z.parquet']
  const positions = paths.flatMap((path) => range(0, 5000, 7).map((at) => [path, BigInt(at)] as const))
  const own = range(0, 70_000, 37).map((at) => [DATA_FILE, BigInt(at)] as const)
  const equality = (name: string, ids: readonly number[], rows: readonly (readonly Value[])[]): Sound => {
    const fields = dataFields.filter(({ id }) => ids.includes(id))
    return { ...plain(name, 'equality', parquetOf(fields, rows), rows.length), equalityIds: ids }
  }
  return [
    plain('positions-of-three', 'positions', positionsFile(positions), positions.length),
    plain('positions-of-one', 'positions', positionsFile(own), own.length),
    equality('equality-of-one', [1], [...range(0, 500, 3).map((at) => [BigInt(at)] as const), [null]]),
    equality(
      'equality-of-three',
      [1, 2, 3],
      dataRows.filter((_, at) => at % 4 === 0),
    ),
    ...vectors(),
  ]
}

function vectors(): Sound[] {
  const runs = bitmap64([
    [
      0,
      bitmap32(
        range(0, 2).map((key) => ({
          key,
          runs: [
            [key, 300],
            [5000, 60_000],
          ],
        })),
      ),
    ],
  ])
  const sets: readonly (readonly [bitmap: Uint8Array, rows: number])[] = [
    [roaring64(range(0, 140_000, 377)), Math.ceil(140_000 / 377)],
    [roaring64(range(0, 120_000, 3)), 40_000],
    [runs, 2 * (301 + 60_001)],
  ]
  const blobs = sets.map(([bitmap]) => ({
    bytes: vectorBlob(bitmap),
    properties: { 'referenced-data-file': DATA_FILE },
  }))
  const { bytes, offsets } = puffinFile(blobs)
  return sets.map(([, rows], at) => ({
    ...plain(`vector-${at}`, 'vector', bytes, rows),
    blob: { offset: offsets[at]!, sizeBytes: blobs[at]!.bytes.length },
  }))
}

function plain(name: string, content: Sound['content'], bytes: Uint8Array, rows: number): Sound {
  const map = content === 'vector' ? undefined : mapFile(bytes)
  return { name, content, bytes, rows, equalityIds: [], blob: undefined, map }
}

/** Input `index` of the run with that seed. */
export function inputOf(sound: readonly Sound[], seed: number, index: number): Input {
  const dice = new Dice(Math.imul(seed, 0x9e3779b1) + Math.imul(index, 0x85ebca6b))
  const of = dice.pick(sound)
  if (of.content === 'vector') return { of, ...dice.pick(vectorDamage)(of, dice) }
  const own = { name: of.name, bytes: of.bytes, map: of.map! }
  const { mutant: damaged } = mutant([own], dice)
  return { of, blob: undefined, ...damaged }
}

type Damage = (sound: Sound, dice: Dice) => Omit<Input, 'of'>

/** Any bytes of the file, its footer too. */
const anyBytes: Damage = ({ bytes, blob }, dice) => {
  const copy = bytes.slice()
  for (let count = dice.between(1, 4); count > 0; count--) copy[dice.below(copy.length)] = dice.bits()
  return { how: 'some bytes changed', bytes: copy, blob, mustNotLie: true }
}

const cut: Damage = ({ bytes, blob }, dice) => {
  const length = dice.below(bytes.length)
  return { how: `cut to ${length} bytes`, bytes: bytes.slice(0, length), blob, mustNotLie: true }
}

/** The manifest places it elsewhere. */
const misplaced: Damage = ({ bytes, blob }, dice) => {
  const by = dice.pick([-1, 1, 4, 8, -8, 100])
  const [offset, sizeBytes] = [blob!.offset + dice.pick([0, by]), blob!.sizeBytes + dice.pick([0, -by, by])]
  const isSame = offset === blob!.offset && sizeBytes === blob!.sizeBytes
  return { how: `at ${offset} with ${sizeBytes} bytes`, bytes, blob: { offset, sizeBytes }, mustNotLie: isSame }
}

const edges = [0, 1, 2, 0x7f, 0xff, 0x7fff, 0xffff, 0x8000, 0x1000, 0x1001, 12_346, 12_347]

/** Numbers of the bitmap, near its beginning most often, under a checksum that is right again. */
const signedNumbers: Damage = ({ bytes, blob }, dice) => {
  const copy = Buffer.from(bytes)
  const [start, end] = [blob!.offset + 8, blob!.offset + blob!.sizeBytes - 4]
  for (let count = dice.between(1, 3); count > 0; count--) {
    const within = dice.chance(0.7) ? Math.min(120, end - start - 2) : end - start - 2
    const at = start + dice.below(within)
    if (dice.chance(0.3)) copy.writeUInt16LE((copy.readUInt16LE(at) + dice.pick([1, -1, 256])) & 0xffff, at)
    else copy.writeUInt16LE(dice.chance(0.6) ? dice.pick(edges) : dice.bits() & 0xffff, at)
  }
  return signed(copy, blob!, 'numbers of the bitmap')
}

/** Bytes taken out of the bitmap or put into it, with its length and checksum put right. */
const signedLength: Damage = ({ bytes, blob }, dice) => {
  const at = blob!.offset + 8 + dice.below(blob!.sizeBytes - 12)
  const isMore = dice.chance(0.5)
  const count = Math.min(dice.between(1, 64), blob!.offset + blob!.sizeBytes - 4 - at)
  const parts = isMore ? [bytes.subarray(0, at), dice.bytes(count)] : [bytes.subarray(0, at)]
  const copy = Buffer.concat([...parts, bytes.subarray(isMore ? at : at + count)])
  const sizeBytes = blob!.sizeBytes + (isMore ? count : -count)
  copy.writeUInt32BE(sizeBytes - 8, blob!.offset)
  return signed(copy, { ...blob!, sizeBytes }, `${count} bytes ${isMore ? 'more' : 'less'} in the bitmap`)
}

function signed(copy: Buffer, blob: NonNullable<Sound['blob']>, how: string): Omit<Input, 'of'> {
  const end = blob.offset + blob.sizeBytes - 4
  copy.writeUInt32BE(crc32(copy.subarray(blob.offset + 4, end)), end)
  return { how: `${how}, signed`, bytes: new Uint8Array(copy), blob, mustNotLie: false }
}

const vectorDamage: readonly Damage[] = [
  anyBytes,
  cut,
  misplaced,
  signedNumbers,
  signedNumbers,
  signedNumbers,
  signedLength,
]
