import type { FakeObject } from './object-bucket.ts'
import { s3Refusal } from './s3-answers.ts'
import type { S3Settings } from './s3-state.ts'

const META = 'x-amz-meta-'
/** Amazon's, names and values together. */
const MAX_METADATA_BYTES = 2048

/** What is kept as it came and told again. */
const kept: ReadonlySet<string> = new Set([
  'cache-control',
  'content-disposition',
  'content-language',
  'content-type',
  'expires',
  'x-amz-storage-class',
  'x-amz-server-side-encryption',
  'x-amz-server-side-encryption-aws-kms-key-id',
  'x-amz-server-side-encryption-bucket-key-enabled',
  'x-amz-server-side-encryption-context',
  'x-amz-server-side-encryption-customer-algorithm',
  'x-amz-server-side-encryption-customer-key-md5',
])

export function storedHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const stored: Record<string, string> = { 'content-type': 'binary/octet-stream' }
  for (const [name, value] of Object.entries(headers)) if (kept.has(name)) stored[name] = value
  // `aws-chunked` is how the body travelled; what else it is encoded by stays.
  const encoding = (headers['content-encoding'] ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '' && one !== 'aws-chunked')
  if (encoding.length > 0) stored['content-encoding'] = encoding.join(',')
  if (!('x-amz-server-side-encryption-customer-algorithm' in stored))
    stored['x-amz-server-side-encryption'] ??= 'AES256'
  return stored
}

/** By name without its prefix. @throws the refusal `MetadataTooLarge`. */
export function metadataOf(
  headers: Readonly<Record<string, string>>,
  { dropMetadata }: Pick<S3Settings, 'dropMetadata'>,
): Record<string, string> {
  const metadata: Record<string, string> = {}
  let bytes = 0
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith(META)) continue
    const short = name.slice(META.length)
    bytes += Buffer.byteLength(short) + Buffer.byteLength(value)
    if (!dropMetadata) metadata[short] = value
  }
  if (bytes > MAX_METADATA_BYTES)
    throw s3Refusal('MetadataTooLarge', 'Your metadata headers exceed the maximum allowed metadata size', {
      Size: bytes,
      MaxSizeAllowed: MAX_METADATA_BYTES,
    })
  return metadata
}

/** Of a read. The standard class is never told. */
export function headersTold({ headers, metadata, etag, modifiedMs }: FakeObject): Record<string, string> {
  const told: Record<string, string> = { ...headers, etag, 'last-modified': new Date(modifiedMs).toUTCString() }
  if (told['x-amz-storage-class'] === 'STANDARD') delete told['x-amz-storage-class']
  for (const [name, value] of Object.entries(metadata)) told[META + name] = value
  return told
}
