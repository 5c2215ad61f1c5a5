import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { crc32c } from '@moulin/format'

/** What S3 checks bodies by, each in base64 of its big-endian bytes. */
export type ChecksumName = 'crc32' | 'crc32c' | 'crc64nvme' | 'sha1' | 'sha256'

export const checksumNames: readonly ChecksumName[] = ['crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256']

export function checksumOf(name: ChecksumName, bytes: Uint8Array): string {
  switch (name) {
    case 'crc32':
      return word(crc32(bytes))
    case 'crc32c':
      return word(crc32c(bytes))
    case 'crc64nvme':
      return crc64nvme(bytes)
    case 'sha1':
    case 'sha256':
      return createHash(name).update(bytes).digest('base64')
  }
}

/** In base64, or as an etag has it. */
export function md5Of(bytes: Uint8Array, encoding: 'base64' | 'hex'): string {
  return createHash('md5').update(bytes).digest(encoding)
}

/** A CRC adds up over the whole of several parts; a hash does not. */
export function isCrc(name: ChecksumName): boolean {
  return name.startsWith('crc')
}

function word(value: number): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes.toString('base64')
}

/** Two halves of each entry of the table: numbers, for a bigint a byte takes twenty times as long. */
const [lows, highs] = crc64Tables()

/** Polynomial 0xad93d23594c93659, reflected, all ones in and out (the NVM Express one). */
function crc64Tables(): readonly [Uint32Array, Uint32Array] {
  const tables = [new Uint32Array(256), new Uint32Array(256)] as const
  for (let byte = 0; byte < 256; byte++) {
    let crc = BigInt(byte)
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ 0x9a6c9329ac4bc9b5n : crc >> 1n
    tables[0][byte] = Number(crc & 0xffffffffn)
    tables[1][byte] = Number(crc >> 32n)
  }
  return tables
}

function crc64nvme(bytes: Uint8Array): string {
  let low = 0xffffffff
  let high = 0xffffffff
  for (let i = 0; i < bytes.length; i++) {
    const at = (low ^ bytes[i]!) & 0xff
    low = ((low >>> 8) | (high << 24)) ^ lows[at]!
    high = (high >>> 8) ^ highs[at]!
  }
  const out = Buffer.alloc(8)
  out.writeUInt32BE(~high >>> 0, 0)
  out.writeUInt32BE(~low >>> 0, 4)
  return out.toString('base64')
}
