import type { JsonValue } from '@moulin/core'
import { gcsRefusal } from './gcs-answers.ts'
import type { GcsSettings } from './gcs-options.ts'
import type { ObjectWords } from './gcs-state.ts'
import type { FakeObject } from './object-bucket.ts'

type Json = { readonly [name: string]: JsonValue }

/** Fields of an object's resource that a client may give, and that are kept and told as they came. */
const kept = [
  'contentType',
  'contentEncoding',
  'contentLanguage',
  'contentDisposition',
  'cacheControl',
  'storageClass',
  'kmsKeyName',
] as const

/** What the body of an insert, or the start of a session, says of an object; query and content type of the bytes count where it is silent. */
export function wordsOf(
  resource: JsonValue | undefined,
  query: ReadonlyMap<string, string>,
  contentType: string | undefined,
  { dropMetadata }: Pick<GcsSettings, 'dropMetadata'>,
): ObjectWords {
  if (resource === null || typeof resource !== 'object' || Array.isArray(resource))
    throw gcsRefusal('badRequest', 'The metadata of the upload are no JSON object.')
  const said = resource as Json
  const headers: Record<string, string> = { contentType: contentType ?? 'application/octet-stream' }
  for (const name of kept) if (typeof said[name] === 'string') headers[name] = said[name]
  const key = query.get('kmsKeyName')
  if (key !== undefined) headers['kmsKeyName'] = key
  return {
    metadata: dropMetadata ? {} : metadataOf(said['metadata']),
    headers,
    crc32c: textOf(said['crc32c']),
    md5: textOf(said['md5Hash']),
  }
}

/** @throws the refusal for values that are no text, and for more than Google's 8 KiB. */
export function metadataOf(given: JsonValue | undefined): Record<string, string> {
  if (given === undefined || given === null) return {}
  const metadata: Record<string, string> = {}
  let bytes = 0
  for (const [name, value] of Object.entries(given as Json)) {
    if (typeof value !== 'string') throw gcsRefusal('invalid', `Metadata ${name} is no text.`)
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value)
    metadata[name] = value
  }
  if (bytes > 8192) throw gcsRefusal('invalid', 'The metadata are above 8192 bytes.')
  return metadata
}

/** What a change makes of it: a name with null goes, and all of them with null in place of their object. */
export function changedMetadata(
  present: Readonly<Record<string, string>>,
  given: JsonValue | undefined,
): Record<string, string> {
  if (given === undefined) return { ...present }
  if (given === null) return {}
  const gone = Object.entries(given as Json).flatMap(([name, value]) => (value === null ? [name] : []))
  const told = Object.fromEntries(Object.entries(given as Json).filter(([, value]) => value !== null))
  const after = { ...present, ...metadataOf(told) }
  return metadataOf(Object.fromEntries(Object.entries(after).filter(([name]) => !gone.includes(name))))
}

function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** As the JSON API tells an object: numbers of 64 bits as text. */
export function resourceOf(bucket: string, object: FakeObject): Record<string, unknown> {
  const { key, generation, metageneration, content, metadata, headers, checksums, etag, modifiedMs } = object
  const time = new Date(modifiedMs).toISOString()
  return {
    kind: 'storage#object',
    id: `${bucket}/${key}/${generation}`,
    name: key,
    bucket,
    generation: String(generation),
    metageneration: String(metageneration),
    storageClass: 'STANDARD',
    ...headers,
    size: String(content.size),
    ...(checksums['md5'] === undefined ? {} : { md5Hash: checksums['md5'] }),
    ...(checksums['crc32c'] === undefined ? {} : { crc32c: checksums['crc32c'] }),
    etag,
    timeCreated: time,
    updated: time,
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
  }
}

/** Of an answer with bytes. */
export function mediaHeaders(object: FakeObject): Record<string, string> {
  const { generation, metageneration, content, metadata, headers, checksums, etag, modifiedMs } = object
  const hashes = ['crc32c', 'md5'].flatMap((name) =>
    checksums[name] === undefined ? [] : `${name}=${checksums[name]}`,
  )
  const told: Record<string, string> = {
    'content-type': headerText(headers['contentType']!),
    etag,
    'last-modified': new Date(modifiedMs).toUTCString(),
    'x-goog-generation': String(generation),
    'x-goog-metageneration': String(metageneration),
    'x-goog-storage-class': headers['storageClass'] ?? 'STANDARD',
    'x-goog-stored-content-encoding': headers['contentEncoding'] ?? 'identity',
    'x-goog-stored-content-length': String(content.size),
    ...(hashes.length === 0 ? {} : { 'x-goog-hash': hashes.join(',') }),
  }
  for (const [name, value] of Object.entries(metadata))
    if (/^[\w!#$%&'*+.^`|~-]+$/.test(name)) told[`x-goog-meta-${name}`] = headerText(value)
  return told
}

/** The bytes of its UTF-8, as headers have them, without what would end one. */
function headerText(text: string): string {
  return Buffer.from(text.replace(/[\u0000-\u001f\u007f]/g, ' ')).toString('latin1')
}
