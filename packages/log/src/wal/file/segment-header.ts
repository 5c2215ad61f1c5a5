import { checkReadable } from '@moulin/core'
import { crc32c } from '@moulin/format'
import { segmentKind } from '../../stored/stored-kinds.ts'
import { CRC_BYTES, headerBytesOf, magicOf, minimumReaderOf, writeHead } from './binary-head.ts'
import type { SegmentIdentity } from './frame.ts'

/** Frames begin here: the header has its own page, which later writes never touch. */
export const SEGMENT_HEADER_BYTES = 4096
/** What of it we use. A later format may use more, up to all of it. */
const USED_BYTES = 56
const MAGIC = 0x4d574c53

export interface SegmentHeader extends SegmentIdentity {
  /** Size that the file is preallocated to. */
  readonly sizeBytes: number
}

/** The header's bytes. Layout: docs/formats/wal.md. */
export function segmentHeaderBytes({ logId, epoch, generation, sizeBytes }: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES)
  const view = new DataView(bytes.buffer)
  writeHead(view, MAGIC, segmentKind, USED_BYTES)
  bytes.set(logId, 8)
  view.setBigUint64(24, epoch)
  view.setBigUint64(32, generation)
  view.setBigUint64(40, BigInt(sizeBytes))
  view.setUint32(USED_BYTES - CRC_BYTES, crc32c(bytes.subarray(0, USED_BYTES - CRC_BYTES)))
  return bytes
}

/**
 * The header at the start of a segment file, from its first {@link SEGMENT_HEADER_BYTES}; undefined when there is no whole one (a file that was being made or
 * recycled). @throws `unsupported` when a newer version wrote it.
 */
export function readSegmentHeader(bytes: Uint8Array, name: string): SegmentHeader | undefined {
  if (bytes.length < USED_BYTES) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const length = headerBytesOf(view)
  if (magicOf(view) !== MAGIC || length < USED_BYTES || length > bytes.length) return undefined
  const crcAt = length - CRC_BYTES
  if (view.getUint32(crcAt) !== crc32c(bytes.subarray(0, crcAt))) return undefined
  checkReadable(segmentKind, minimumReaderOf(view), name)
  return {
    logId: bytes.slice(8, 24),
    epoch: view.getBigUint64(24),
    generation: view.getBigUint64(32),
    sizeBytes: Number(view.getBigUint64(40)),
  }
}
