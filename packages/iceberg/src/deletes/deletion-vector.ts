import { crc32 } from 'node:zlib'
import { corrupt } from '@moulin/core'
import { readRoaring64 } from '@moulin/format'
import type { PositionSet } from '@moulin/format'

const MAGIC = 0xd1d33964
/** Length and magic before the bitmap, its CRC-32 behind it. */
const FRAME_BYTES = 12

/**
 * The positions of a deletion vector, given the bytes of its blob.
 * @param recordCount What its manifest says of it: how many positions it has.
 * @throws `corrupt` code `DELETION_VECTOR` where length, magic, checksum or count do not agree; `ROARING` for its bitmap.
 *
 * Spec: Puffin, "`deletion-vector-v1` blob type".
 */
export function readDeletionVector(bytes: Uint8Array, recordCount: bigint, what: string): PositionSet {
  const fail = (how: string): Error =>
    corrupt('DELETION_VECTOR', `${what} is no deletion vector: ${how}.`, { context: { sizeBytes: bytes.length } })
  if (bytes.length < FRAME_BYTES) throw fail(`it has ${bytes.length} bytes`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  // Of magic and bitmap, so without itself and the checksum.
  const length = view.getUint32(0)
  if (length !== bytes.length - 8) throw fail(`it states ${length} bytes where there are ${bytes.length - 8}`)
  if (view.getUint32(4) !== MAGIC) throw fail('its magic is missing')
  if (crc32(bytes.subarray(4, bytes.length - 4)) !== view.getUint32(bytes.length - 4))
    throw fail('its checksum does not match')
  const positions = readRoaring64(bytes.subarray(8, bytes.length - 4), `The bitmap of ${what}`)
  if (BigInt(positions.size) !== recordCount)
    throw fail(`it has ${positions.size} positions; its manifest states ${recordCount}`)
  return positions
}
