import type { StoredKind } from '@moulin/core'

/**
 * What every binary header of the write-ahead tier begins with: a magic number, the versions of its kind, and how long the header is.
 * It ends with its own checksum, {@link CRC_BYTES} long. Layout: docs/formats/wal.md.
 */
export function writeHead(
  view: DataView,
  magic: number,
  { format, minimumReader }: StoredKind,
  headerBytes: number,
): void {
  view.setUint32(0, magic)
  view.setUint8(4, format)
  view.setUint8(5, minimumReader)
  view.setUint16(6, headerBytes)
}

export const CRC_BYTES = 4

export const magicOf = (view: DataView): number => view.getUint32(0)
export const minimumReaderOf = (view: DataView): number => view.getUint8(5)
/** As the header says; whether that can be is for the reader of its kind to know. */
export const headerBytesOf = (view: DataView): number => view.getUint16(6)
