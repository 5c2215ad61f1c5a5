import { unsupported } from '@moulin/core'
import { crc32c } from '@moulin/format'
import type { SegmentIdentity } from './frame.ts'

/** Frames begin here: the header has its own page, which later writes never touch. */
export const SEGMENT_HEADER_BYTES = 4096
/** What of it is used. */
export const SEGMENT_HEADER_USED_BYTES = 52
const MAGIC = 0x4d574c53
const VERSION = 1
const CRC_AT = 48

export interface SegmentHeader extends SegmentIdentity {
  /** Size that the file is preallocated to. */
  readonly sizeBytes: number
}

/** The header's bytes. Layout: docs/formats/wal.md. */
export function segmentHeaderBytes({ logId, epoch, generation, sizeBytes }: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, MAGIC)
  view.setUint8(4, VERSION)
  view.setUint8(5, VERSION)
  bytes.set(logId, 8)
  view.setBigUint64(24, epoch)
  view.setBigUint64(32, generation)
  view.setBigUint64(40, BigInt(sizeBytes))
  view.setUint32(CRC_AT, crc32c(bytes.subarray(0, CRC_AT)))
  return bytes
}

/**
 * The header at the start of a segment file; undefined when there is no whole one (a file that was being made or
 * recycled). @throws `unsupported` when a newer version wrote it.
 */
export function readSegmentHeader(bytes: Uint8Array, name: string): SegmentHeader | undefined {
  if (bytes.length < SEGMENT_HEADER_USED_BYTES) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  if (view.getUint32(0) !== MAGIC || view.getUint32(CRC_AT) !== crc32c(bytes.subarray(0, CRC_AT))) return undefined
  const minimumReader = view.getUint8(5)
  if (minimumReader > VERSION) {
    throw unsupported(
      'FORMAT_VERSION',
      `${name} needs a reader of segment version ${minimumReader}; this one reads up to ${VERSION}. Use a newer moulin.`,
      { context: { file: name, minimumReader, supported: VERSION } },
    )
  }
  return {
    logId: bytes.slice(8, 24),
    epoch: view.getBigUint64(24),
    generation: view.getBigUint64(32),
    sizeBytes: Number(view.getBigUint64(40)),
  }
}
