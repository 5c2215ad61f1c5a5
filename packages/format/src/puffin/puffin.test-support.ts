/** Puffin files as other engines write them. */

export interface BlobToWrite {
  readonly bytes: Uint8Array
  readonly type?: string
  readonly codec?: string
  readonly properties?: Readonly<Record<string, string>>
}

/** A Puffin file, and where each blob lies in it. */
export function puffinFile(
  blobs: readonly BlobToWrite[],
  asFooter: (json: Uint8Array) => Uint8Array = (json) => json,
  flags = 0,
): { readonly bytes: Uint8Array; readonly offsets: readonly number[] } {
  const magic = Buffer.from('PFA1')
  const offsets: number[] = []
  let at = 4
  const described = blobs.map(({ bytes, type = 'deletion-vector-v1', codec, properties = {} }) => {
    offsets.push(at)
    at += bytes.length
    const place = { offset: at - bytes.length, length: bytes.length }
    const ids = { 'snapshot-id': -1, 'sequence-number': -1 }
    return { type, fields: [], ...ids, ...place, ...(codec && { 'compression-codec': codec }), properties }
  })
  const payload = asFooter(Buffer.from(JSON.stringify({ blobs: described, properties: { 'created-by': 'a test' } })))
  const end = Buffer.alloc(8)
  end.writeInt32LE(payload.length)
  end.writeUInt32LE(flags, 4)
  const bytes = Buffer.concat([magic, ...blobs.map((blob) => blob.bytes), magic, payload, end, magic])
  return { bytes: new Uint8Array(bytes), offsets }
}
