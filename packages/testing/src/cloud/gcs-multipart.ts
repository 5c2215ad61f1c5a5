import { gcsRefusal } from './gcs-answers.ts'

export interface RelatedParts {
  /** JSON of the object's resource. */
  readonly metadata: string
  readonly contentType: string | undefined
  readonly bytes: Uint8Array
}

/** RFC 2387 `multipart/related` of two parts: what is said of an object, then its bytes. @throws the refusal `badRequest`. */
export function relatedParts(contentType: string | undefined, body: Uint8Array): RelatedParts {
  const [, quoted, plain] = /^multipart\/related;.*?boundary=(?:"([^"]+)"|([^;]+))/i.exec(contentType ?? '') ?? []
  const boundary = quoted ?? plain
  if (boundary === undefined) throw malformed('The content type names no boundary.')
  const buffer = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const first = buffer.indexOf(`--${boundary}\r\n`)
  const second = buffer.indexOf(`\r\n--${boundary}\r\n`, first)
  // The bytes of the object may hold the boundary: what ends them is the last one.
  const end = buffer.lastIndexOf(`\r\n--${boundary}--`)
  if (first < 0 || second < 0 || end < second) throw malformed('It is not of two parts.')
  const metadata = partOf(buffer.subarray(first + boundary.length + 4, second))
  const media = partOf(buffer.subarray(second + boundary.length + 6, end))
  return { metadata: metadata.body.toString(), contentType: media.contentType, bytes: Uint8Array.from(media.body) }
}

function partOf(part: Buffer): { readonly contentType: string | undefined; readonly body: Buffer } {
  const end = part.indexOf('\r\n\r\n')
  if (end < 0) throw malformed('A part has no end of its headers.')
  const [, contentType] = /^content-type: *([^\r\n]+)/im.exec(part.subarray(0, end).toString()) ?? []
  return { contentType, body: part.subarray(end + 4) }
}

function malformed(why: string): Error {
  return gcsRefusal('badRequest', `The multipart body is malformed. ${why}`)
}
