import { corrupt, notFound, type CallOptions, type FileHandle, type WalLocation } from '@moulin/core'
import { readFrame, type SegmentIdentity } from './frame.ts'
import { refuseLater } from './segment-scan.ts'
import { headerOf } from './source-scan.ts'

/** The batches at a location, checked. @throws `not-found` when the file has been recycled; `corrupt`. */
export async function readSection(
  file: FileHandle,
  { segment, position, sizeBytes }: WalLocation,
  identity: SegmentIdentity,
  call: CallOptions = {},
): Promise<Uint8Array> {
  const bytes = await file.read(position, sizeBytes, call)
  const read = readFrame(bytes, 0, position, sizeBytes, identity)
  if (read.status === 'frame' && read.frame.sizeBytes === sizeBytes) {
    const { headerBytes, batchesBytes } = read.frame
    return bytes.subarray(headerBytes, headerBytes + batchesBytes)
  }
  refuseLater(read, segment, position)
  const header = await headerOf(file, segment)
  if (header?.generation !== identity.generation) throw released(segment)
  const reason = read.status === 'damaged' ? read.reason : 'the section is not there'
  throw corrupt('SEGMENT', `${segment} is damaged at position ${position}: ${reason}.`, {
    context: { file: segment, position },
  })
}

export function released(segment: string): Error {
  return notFound('RELEASED', `${segment} has been released: what it held is in the table.`, {
    context: { file: segment },
  })
}
