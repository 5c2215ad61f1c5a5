import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { invalid, unsupported } from './errors.ts'
import { shown } from './shown.ts'

/** Where somebody's objects lie: a folder of this machine, or a part of a bucket of a cloud. */
export type StorePlace = FolderPlace | BucketPlace

export interface FolderPlace {
  readonly kind: 'folder'
  /** Absolute. */
  readonly dir: string
}

export interface BucketPlace {
  readonly kind: 's3' | 'gcs' | 'azure'
  /** Of Azure: the container. */
  readonly bucket: string
  /** Of Azure alone. */
  readonly account?: string
  /** Empty: the whole bucket. Else it ends in a slash. */
  readonly prefix: string
}

// One letter is a drive of Windows, `C:\lake`. A colon without a slash behind it may stand in the name of a file.
const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]+):\//
const azureHost = /^([^@]+)@([^.@]+)\.(?:dfs|blob)\.core\.windows\.net$/

const EXAMPLES =
  's3://bucket/prefix, gs://bucket/prefix, az://account/container/prefix, a file: URL or the path of a folder'

/**
 * What somebody means by a place: a path, relative to the working folder; the text of a URL; a URL object. Schemes: `file:`; `s3:`, `s3a:`
 * and `s3n:`; `gs:`; `az://account/container/…`, and `abfss:`, `abfs:`, `wasbs:` and `wasb:` as engines write them.
 *
 * A path is taken as it stands, and so is the text of a bucket's URL, as engines take it: `s3://b/a%20b` has a percent sign. A `file:` URL
 * and a URL object are percent-decoded. Nothing is looked up or made.
 *
 * @param what Begins the message: the function, as its caller knows it.
 * @throws `unsupported` code `STORE_SCHEME` for a URL of another scheme; `invalid` code `PLACE` for what is no place at all.
 */
export function placeOf(what: string, place: unknown): StorePlace {
  if (place instanceof URL) {
    if (place.protocol === 'file:') return { kind: 'folder', dir: pathOfUrl(what, place) }
    if (place.search !== '' || place.hash !== '') throw badUrl(what, place.protocol, 'has a query or a fragment')
    return bucketOf(what, decoded(what, place))
  }
  if (typeof place !== 'string' || place === '' || place.includes('\0'))
    throw invalid('PLACE', `${what}: the place is ${shown(place)}; it must be ${EXAMPLES}.`)
  const name = schemeOf(place)
  if (name === undefined) return { kind: 'folder', dir: resolve(place) }
  if (name !== 'file') return bucketOf(what, place)
  const url = URL.canParse(place) ? new URL(place) : undefined
  if (url === undefined) throw badUrl(what, 'file:', 'does not parse')
  return { kind: 'folder', dir: pathOfUrl(what, url) }
}

/**
 * The absolute path of a folder that somebody names, for what lies in folders alone: see {@link placeOf}.
 * @throws `unsupported` code `STORE_SCHEME` for a URL of another scheme; `invalid` code `PLACE` for what is no place at all.
 */
export function folderOf(what: string, place: unknown): string {
  const name = schemeOf(place)
  if (name !== undefined && name !== 'file')
    throw otherScheme(what, name, 'this place is a folder, by path or file: URL')
  return (placeOf(what, place) as FolderPlace).dir
}

function bucketOf(what: string, url: string): BucketPlace {
  const [, name = '', authority = '', path = ''] = /^([^:]+):(?:\/\/([^/]*))?\/?(.*)$/s.exec(url) ?? []
  const place = partsOf(what, name.toLowerCase(), authority, path)
  // What engines would cut off, or take for a name and a password.
  const odd = [place.bucket, place.account ?? '', place.prefix].some((part) => /[?#@\\"\u0000-\u001f\u007f]/.test(part))
  const isEmpty = place.bucket === '' || place.account === ''
  const segments = place.prefix.split('/').slice(0, -1)
  if (odd || isEmpty || segments.some((segment) => segment === '' || segment === '.' || segment === '..'))
    throw badUrl(
      what,
      `${name.toLowerCase()}:`,
      'names no bucket and prefix, or holds ?, #, @, quotes or empty segments',
    )
  return place
}

function partsOf(what: string, name: string, authority: string, path: string): BucketPlace {
  const prefixOf = (text: string): string => (text === '' || text.endsWith('/') ? text : `${text}/`)
  switch (name) {
    case 's3':
    case 's3a':
    case 's3n':
      return { kind: 's3', bucket: authority, prefix: prefixOf(path) }
    case 'gs':
      return { kind: 'gcs', bucket: authority, prefix: prefixOf(path) }
    case 'az': {
      const [, container = '', rest = ''] = /^([^/]*)\/?(.*)$/s.exec(path) ?? []
      return { kind: 'azure', account: authority, bucket: container, prefix: prefixOf(rest) }
    }
    case 'abfss':
    case 'abfs':
    case 'wasbs':
    case 'wasb': {
      const [, bucket = '', account = ''] = azureHost.exec(authority) ?? []
      return { kind: 'azure', account, bucket, prefix: prefixOf(path) }
    }
    default:
      throw otherScheme(what, name, `a place is ${EXAMPLES}`)
  }
}

function pathOfUrl(what: string, url: URL): string {
  if (url.search !== '' || url.hash !== '')
    throw badUrl(what, 'file:', 'has a query or a fragment, which no folder has')
  try {
    return resolve(fileURLToPath(url))
  } catch (cause) {
    throw badUrl(what, 'file:', 'names no folder of this machine', cause)
  }
}

function decoded(what: string, url: URL): string {
  try {
    return decodeURIComponent(url.href)
  } catch (cause) {
    throw badUrl(what, url.protocol, 'is not percent-encoded', cause)
  }
}

/** Undefined: it is no URL. */
function schemeOf(place: unknown): string | undefined {
  if (place instanceof URL) return place.protocol.slice(0, -1)
  return typeof place === 'string' ? scheme.exec(place)?.[1]?.toLowerCase() : undefined
}

// Of the URL only the scheme is shown: the rest may hold a password.
function otherScheme(what: string, name: string, places: string): Error {
  const message = `${what}: there is no store for ${name}: URLs here; ${places}. A store of another kind is passed as an object: openLog({ store, wal, tier }) takes any ObjectStore, such as memory() or one of your own.`
  return unsupported('STORE_SCHEME', message, { context: { scheme: name } })
}

function badUrl(what: string, protocol: string, why: string, cause?: unknown): Error {
  const form = protocol === 'file:' ? "Write file:///folder, or give the folder's path" : `Write ${EXAMPLES}`
  return invalid('PLACE', `${what}: the ${protocol} URL ${why}. ${form}.`, cause === undefined ? {} : { cause })
}
