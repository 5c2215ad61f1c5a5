import { invalid } from './errors.ts'
import type { ObjectStore } from './object-store.ts'

const encoder = new TextEncoder()
const controls = /[\u0000-\u001f\u007f]/
const loneSurrogate = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/

/** Throws `invalid` unless the key is one that every store takes (see {@link ObjectStore}). */
export function checkKey(key: string): void {
  const bytes = encoder.encode(key).length
  if (bytes < 1 || bytes > 1024) throw badKey(key, `has ${bytes} bytes; 1 to 1024 are allowed`)
  if (controls.test(key) || loneSurrogate.test(key))
    throw badKey(key, 'holds a control character or half a surrogate pair')
  for (const segment of key.split('/')) {
    if (segment === '' || segment === '.' || segment === '..') throw badKey(key, 'has an empty, "." or ".." segment')
  }
}

function badKey(key: string, why: string): Error {
  return invalid('KEY', `The key ${JSON.stringify(key)} ${why}.`, { context: { key } })
}

/** The absolute URI of a key, as table metadata names it. */
export function uriOf(store: Pick<ObjectStore, 'root'>, key: string): string {
  return store.root + key.split('/').map(encodeURI).join('/')
}

/**
 * The key of an absolute URI in this store. `file:/x` and a bare `/x`, as some engines write, mean `file:///x`.
 * @throws `invalid` with code `OUTSIDE_STORE` when the URI lies elsewhere: metadata never makes us read other places.
 */
export function keyOf(store: Pick<ObjectStore, 'root' | 'name'>, uri: string): string {
  const root = normalUri(store.root)
  const normal = normalUri(uri)
  if (!normal.startsWith(root)) {
    const message = `${uri} lies outside of ${store.name}: it is not read.`
    throw invalid('OUTSIDE_STORE', message, { context: { uri, root: store.root } })
  }
  const key = normal.slice(root.length)
  checkKey(key)
  return key
}

// One spelling per place: scheme with three slashes for files, percent escapes resolved.
function normalUri(uri: string): string {
  const spelled = uri.startsWith('/') ? `file://${uri}` : uri.replace(/^file:\/(?!\/)/, 'file:///')
  try {
    return decodeURI(spelled)
  } catch {
    return spelled
  }
}

/** Orders keys by the bytes of their UTF-8, as every store lists them (JavaScript's own order is by UTF-16 unit). */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0
  const left = encoder.encode(a)
  const right = encoder.encode(b)
  const shared = Math.min(left.length, right.length)
  for (let i = 0; i < shared; i++) {
    if (left[i] !== right[i]) return left[i]! - right[i]!
  }
  return left.length - right.length
}
