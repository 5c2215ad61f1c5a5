import { unsupported } from '@moulin/core'
import { decompress } from '../bytes/compression.ts'
import { lz4Frame } from '../bytes/lz4-frame.ts'
import type { PuffinBlob } from './puffin-footer.ts'

/**
 * What a blob holds, given its bytes in the file: themselves, where they are not compressed.
 * @throws `corrupt`; `exhausted` above `maxBytes`; `unsupported` for another codec than the two of the format.
 *
 * Spec: Puffin, "Compression codecs".
 */
export function puffinBlobContent(
  bytes: Uint8Array,
  blob: Pick<PuffinBlob, 'type' | 'compression'>,
  maxBytes: number,
): Uint8Array {
  const { type, compression } = blob
  switch (compression) {
    case undefined:
      return bytes
    case 'lz4':
      return lz4Frame(bytes, maxBytes)
    case 'zstd':
      return decompress('zstd', bytes, maxBytes)
    default:
      throw unsupported(
        'PUFFIN_CODEC',
        `A Puffin blob ${type} is compressed with ${compression}; lz4 and zstd are read.`,
      )
  }
}
