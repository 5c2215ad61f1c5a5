import { parquetMetadata } from 'hyparquet'
import { type ThriftNumber, thriftNumbers } from './thrift-fields.ts'

/** Where the parts of a sound file lie. */
export interface FileMap {
  readonly pages: readonly PagePlace[]
  readonly footerStart: number
  readonly footerNumbers: readonly ThriftNumber[]
}

export interface PagePlace {
  readonly headerStart: number
  readonly bodyStart: number
  readonly bodyEnd: number
  readonly numbers: readonly ThriftNumber[]
  /** Its checksum in the header, if it has one. */
  readonly crc: ThriftNumber | undefined
}

export function mapFile(bytes: Uint8Array): FileMap {
  const copy = new Uint8Array(bytes)
  const metadata = parquetMetadata(copy.buffer)
  const pages: PagePlace[] = []
  for (const { columns } of metadata.row_groups) {
    for (const { meta_data: column } of columns) {
      const { dictionary_page_offset, data_page_offset, total_compressed_size } = column!
      const dictionary = Number(dictionary_page_offset ?? 0n)
      let at = dictionary > 0 ? Math.min(dictionary, Number(data_page_offset)) : Number(data_page_offset)
      for (const end = at + Number(total_compressed_size); at < end;) {
        const { numbers, end: bodyStart } = thriftNumbers(bytes, at)
        const size = numbers.find(({ path }) => path.length === 1 && path[0] === 3)!
        const bodyEnd = bodyStart + Number(unzigzag(varintAt(bytes, size)))
        const crc = numbers.find(({ path }) => path.length === 1 && path[0] === 4)
        pages.push({ headerStart: at, bodyStart, bodyEnd, numbers, crc })
        at = bodyEnd
      }
    }
  }
  const footerStart =
    bytes.length - 8 - new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 8).getUint32(0, true)
  return { pages, footerStart, footerNumbers: thriftNumbers(bytes, footerStart).numbers }
}

export function varintAt(bytes: Uint8Array, { start, end }: ThriftNumber): bigint {
  let value = 0n
  for (let i = end - 1; i >= start; i--) value = (value << 7n) | BigInt(bytes[i]! & 0x7f)
  return value
}

export function unzigzag(value: bigint): bigint {
  return (value >> 1n) ^ -(value & 1n)
}
