import type { Storage } from '@google-cloud/storage'
import { md5Of, unavailable } from '@moulin/core'

/** @throws `unavailable` code `BODY_CUT` for an answer that is shorter than it said. */
export function checkWhole(
  store: string,
  key: string,
  headers: Readonly<Record<string, string>>,
  { length }: Uint8Array,
): void {
  const told = headers['content-length']
  if (told === undefined || Number(told) === length) return
  const message = `The answer of ${store} for ${JSON.stringify(key)} was cut at ${length} of ${told} bytes: try again.`
  throw unavailable('BODY_CUT', message, { context: { store, key, length, told } })
}

/**
 * Of the whole object: MD5 where it is told, for Node has it at hand, else CRC32C, which every object has, by the client's own way.
 * @throws `unavailable` code `BODY_DAMAGED`.
 */
export function checkSums(
  client: Storage,
  store: string,
  key: string,
  headers: Readonly<Record<string, string>>,
  bytes: Uint8Array,
): void {
  const sums = headers['x-goog-hash'] ?? ''
  const md5 = /(?:^|,)\s*md5=([^,]+)/.exec(sums)?.[1]
  const crc32c = /(?:^|,)\s*crc32c=([^,]+)/.exec(sums)?.[1]
  if (md5 !== undefined) {
    if (Buffer.from(md5Of(bytes)).toString('base64') === md5) return
  } else {
    if (crc32c === undefined) return
    const sum = client.crc32cGenerator()
    sum.update(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    if (sum.validate(crc32c)) return
  }
  const message = `The answer of ${store} for ${JSON.stringify(key)} has other bytes than their checksum says: try again.`
  throw unavailable('BODY_DAMAGED', message, { context: { store, key } })
}
