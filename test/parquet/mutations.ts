import { crc32 } from 'node:zlib'
import type { Dice } from './dice.ts'
import { type FileMap, unzigzag, varintAt } from './file-map.ts'
import { paddedVarint, type ThriftNumber, zigzag } from './thrift-fields.ts'

export interface Seed {
  readonly name: string
  readonly bytes: Uint8Array
  readonly map: FileMap
}

export interface Mutant {
  readonly how: string
  readonly bytes: Uint8Array
  /**
   * Only bytes that a page's CRC-32 covers were changed, or fields that the rest of the file contradicts: reading must
   * give the values of the sound file or fail.
   */
  readonly mustNotLie: boolean
}

type Mutate = (seed: Seed, dice: Dice, others: readonly Seed[]) => Mutant

/** A damaged copy of one of the files. The same dice give the same. */
export function mutant(seeds: readonly Seed[], dice: Dice): { seed: Seed; mutant: Mutant } {
  const seed = dice.pick(seeds)
  return { seed, mutant: dice.pick(mutations)(seed, dice, seeds) }
}

const flipBits: Mutate = ({ bytes }, dice) => {
  const copy = bytes.slice()
  const count = dice.between(1, 4)
  for (let i = 0; i < count; i++) copy[dice.below(copy.length)]! ^= 1 << dice.below(8)
  return { how: `${count} bits flipped`, bytes: copy, mustNotLie: false }
}

/** Overwrites 1 to 16 bytes in `[start, end)`. */
function overwrite(copy: Uint8Array, start: number, end: number, dice: Dice): string {
  const at = start + dice.below(end - start)
  const length = Math.min(dice.between(1, 16), end - at)
  const style = dice.below(4)
  const from = dice.below(copy.length - length)
  for (let i = 0; i < length; i++)
    copy[at + i] = style === 0 ? 0 : style === 1 ? 0xff : style === 2 ? copy[from + i]! : dice.bits()
  return `${length} bytes from ${at} on`
}

const overwriteAnywhere: Mutate = ({ bytes }, dice) => {
  const copy = bytes.slice()
  return { how: `overwrote ${overwrite(copy, 0, copy.length, dice)}`, bytes: copy, mustNotLie: false }
}

const overwriteFooter: Mutate = ({ bytes, map }, dice) => {
  const copy = bytes.slice()
  return { how: `overwrote ${overwrite(copy, map.footerStart, copy.length, dice)}`, bytes: copy, mustNotLie: false }
}

const cutEnd: Mutate = ({ bytes }, dice) => {
  const length = dice.below(bytes.length)
  return { how: `cut to ${length} bytes`, bytes: bytes.slice(0, length), mustNotLie: false }
}

const cutMiddle: Mutate = ({ bytes }, dice) => {
  const at = dice.below(bytes.length)
  const length = Math.min(dice.between(1, 200), bytes.length - at)
  const copy = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
  return { how: `without ${length} bytes from ${at} on`, bytes: new Uint8Array(copy), mustNotLie: false }
}

const splice: Mutate = ({ bytes }, dice, others) => {
  const donor = dice.pick(others)
  const from = dice.below(donor.bytes.length)
  const piece = donor.bytes.subarray(from, from + dice.between(1, 300))
  const at = dice.below(bytes.length)
  const replaced = dice.chance(0.5) ? piece.length : 0
  const copy = Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at + replaced)])
  const how = `${piece.length} bytes of ${donor.name} from ${from} on at ${at}`
  return { how, bytes: new Uint8Array(copy), mustNotLie: false }
}

/** Numbers that count, size and place things badly. */
function badNumber(bytes: Uint8Array, number: ThriftNumber, dice: Dice): bigint {
  const was = unzigzag(varintAt(bytes, number))
  const edge = [0n, 1n, -1n, 127n, 2n ** 31n - 1n, 2n ** 31n, -(2n ** 31n), 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)]
  return dice.pick([...edge, was + 1n, was - 1n, was * 2n, was + 8n, -was, BigInt(dice.below(bytes.length))])
}

/** A footer with another number in one of its fields, its length put right. */
const footerNumber: Mutate = ({ bytes, map }, dice) => {
  const number = dice.pick(map.footerNumbers)
  const value = badNumber(bytes, number, dice)
  const varint = shortVarint(zigzag(value))
  const footer = Buffer.concat([bytes.subarray(map.footerStart, number.start), varint, bytes.subarray(number.end, -8)])
  const length = Buffer.alloc(4)
  length.writeUInt32LE(footer.length)
  const copy = Buffer.concat([bytes.subarray(0, map.footerStart), footer, length, bytes.subarray(-4)])
  const how = `footer field ${number.path.join('.')} is ${value}`
  return { how, bytes: new Uint8Array(copy), mustNotLie: false }
}

function shortVarint(value: bigint): Uint8Array {
  for (let length = 1; ; length++) {
    const bytes = paddedVarint(BigInt.asUintN(70, value), length)
    if (bytes !== undefined) return bytes
  }
}

/** Sizes and counts that the rest of the file contradicts (parquet.thrift, PageHeader): sizes, checksum, values. */
const contradicted = new Set(['2', '3', '4', '5.1', '8.1'])

const pageNumber: Mutate = ({ bytes, map }, dice) => {
  const page = dice.pick(map.pages)
  const number = dice.pick(page.numbers)
  const copy = bytes.slice()
  // In the same bytes, so that nothing behind it moves.
  const varint = paddedVarint(zigzag(badNumber(bytes, number, dice)), number.end - number.start)
  copy.set(
    varint ??
      dice.bytes(number.end - number.start).map((byte, i, all) => (byte & 0x7f) | (i < all.length - 1 ? 0x80 : 0)),
    number.start,
  )
  const path = number.path.join('.')
  const how = `field ${path} of the page at ${page.headerStart}`
  return { how, bytes: copy, mustNotLie: page.crc !== undefined && contradicted.has(path) }
}

/** Bytes that the CRC covers, most often those of the levels at the beginning. */
const pageBody: Mutate = ({ bytes, map }, dice) => {
  const page = pageWithBody(map, dice)
  const copy = bytes.slice()
  const end = dice.chance(0.5) ? Math.min(page.bodyEnd, page.bodyStart + 16) : page.bodyEnd
  const how = `overwrote ${overwrite(copy, page.bodyStart, end, dice)} of the page at ${page.headerStart}`
  return { how, bytes: copy, mustNotLie: page.crc !== undefined }
}

/** The same with the CRC put right, so that the bytes reach the decoder. */
const signedPageBody: Mutate = (seed, dice, others) => {
  const { how, bytes } = pageBody(seed, dice, others)
  for (const { crc, bodyStart, bodyEnd } of seed.map.pages) {
    if (crc === undefined) continue
    const sum = BigInt(crc32(bytes.subarray(bodyStart, bodyEnd)) | 0)
    const varint = paddedVarint(zigzag(sum), crc.end - crc.start)
    if (varint !== undefined) bytes.set(varint, crc.start)
  }
  return { how: `${how}, its CRC put right`, bytes, mustNotLie: false }
}

function pageWithBody({ pages }: FileMap, dice: Dice): FileMap['pages'][number] {
  const first = dice.below(pages.length)
  const page = [...pages.slice(first), ...pages].find(({ bodyStart, bodyEnd }) => bodyEnd > bodyStart)
  if (page === undefined) throw new Error('A file without a page that holds bytes.')
  return page
}

const mutations: readonly Mutate[] = [
  flipBits,
  overwriteAnywhere,
  overwriteFooter,
  cutEnd,
  cutMiddle,
  splice,
  footerNumber,
  footerNumber,
  pageNumber,
  pageNumber,
  pageBody,
  signedPageBody,
  signedPageBody,
]
