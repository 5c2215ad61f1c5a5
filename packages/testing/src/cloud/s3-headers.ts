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

/** Amazon's, as far as an object is put into them. */
const storageClasses: ReadonlySet<string> = new Set([
  'STANDARD',
  'REDUCED_REDUNDANCY',
  'STANDARD_IA',
  'ONEZONE_IA',
  'INTELLIGENT_TIERING',
  'GLACIER',
  'DEEP_ARCHIVE',
  'GLACIER_IR',
  'EXPRESS_ONEZONE',
])

/** What would have an effect that this fake does not have. */
const lacking =
  /^x-amz-(write-offset-bytes|object-lock-.*|tagging|grant-.*|website-redirect-location|if-match-(size|last-modified-time))$/

/** @throws the refusal of a header that this fake cannot follow, or that Amazon does not take. */
export function checkHeaders(headers: Readonly<Record<string, string>>): void {
  const name = Object.keys(headers).find((each) => lacking.test(each))
  if (name !== undefined) throw s3Refusal('NotImplemented', `This fake does not know ${name}.`, { Header: name })
  // The default of new buckets: their owner owns all, and there are no lists.
  if (!['bucket-owner-full-control', 'private', undefined].includes(headers['x-amz-acl']))
    throw s3Refusal('AccessControlListNotSupported', 'The bucket does not allow ACLs')
  const storageClass = headers['x-amz-storage-class']
  if (storageClass !== undefined && !storageClasses.has(storageClass))
    throw s3Refusal('InvalidStorageClass', 'The storage class you specified is not valid')
}

const CUSTOMER_KEY = 'server-side-encryption-customer-key-md5'

/**
 * That a read comes with the key of the customer that the object was put with. `prefix`: of a copy's source.
 * @throws the refusal.
 */
export function checkCustomerKey(
  given: Readonly<Record<string, string>>,
  stored: Readonly<Record<string, string>>,
  prefix: string = 'x-amz-',
): void {
  const [own, wanted] = [given[prefix + CUSTOMER_KEY], stored[`x-amz-${CUSTOMER_KEY}`]]
  if (own === wanted) return
  if (own !== undefined && wanted !== undefined) throw s3Refusal('AccessDenied', 'Access Denied')
  const message =
    wanted === undefined
      ? 'The encryption parameters are not applicable to this object.'
      : 'The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.'
  throw s3Refusal('InvalidRequest', message)
}

/** That the bytes are to be had at once. @throws the refusal `InvalidObjectState`. */
export function checkReadable({ headers }: Pick<FakeObject, 'headers'>): void {
  const storageClass = headers['x-amz-storage-class']
  if (storageClass === 'GLACIER' || storageClass === 'DEEP_ARCHIVE')
    throw s3Refusal('InvalidObjectState', "The operation is not valid for the object's storage class", {
      StorageClass: storageClass,
    })
}

/** Whether a tag is no MD5: of what is encrypted by keys that its owner keeps, and in a directory bucket. */
export function isTagOpaque(stored: Readonly<Record<string, string>>, isDirectory: boolean): boolean {
  return isDirectory || stored['x-amz-server-side-encryption'] !== 'AES256'
}

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
