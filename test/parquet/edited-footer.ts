import { paddedVarint, thriftNumbers, zigzag } from './thrift-fields.ts'

/** The bytes with one number of the Thrift struct at `start` set to another of as many bytes. */
export function withNumber(bytes: Uint8Array, start: number, path: readonly number[], value: bigint): Uint8Array {
  const found = thriftNumbers(bytes, start).numbers.find((number) => path.join('.') === number.path.join('.'))
  const edited = found === undefined ? undefined : paddedVarint(zigzag(value), found.end - found.start)
  if (edited === undefined) throw new Error(`No room for ${value} at ${path.join('.')}`)
  const copy = bytes.slice()
  copy.set(edited, found!.start)
  return copy
}

export function footerStart(bytes: Uint8Array): number {
  return bytes.length - 8 - new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 8).getUint32(0, true)
}

/** Paths of parquet.thrift, from FileMetaData down, to what a footer says of a column chunk. */
export const inFooter = {
  nullCount: (rowGroup: number, column: number) => [...chunk(rowGroup, column), 3, 12, 3],
  bloomFilter: (rowGroup: number, column: number) => [...chunk(rowGroup, column), 3, 14],
  offsetIndex: (rowGroup: number, column: number) => [...chunk(rowGroup, column), 4],
  columnIndex: (rowGroup: number, column: number) => [...chunk(rowGroup, column), 6],
} as const

const chunk = (rowGroup: number, column: number): number[] => [4, rowGroup, 1, column]

/** The bytes with a number of the footer set to another. */
export function withFooterNumber(bytes: Uint8Array, path: readonly number[], value: bigint): Uint8Array {
  return withNumber(bytes, footerStart(bytes), path, value)
}

/** What the footer says at a path. */
export function footerNumber(bytes: Uint8Array, path: readonly number[]): number {
  const found = thriftNumbers(bytes, footerStart(bytes)).numbers.find(
    (number) => path.join('.') === number.path.join('.'),
  )
  let value = 0n
  for (let at = found!.end - 1; at >= found!.start; at--) value = (value << 7n) | BigInt(bytes[at]! & 0x7f)
  return Number((value >> 1n) ^ -(value & 1n))
}
