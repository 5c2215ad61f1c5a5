import { invalid } from './errors.ts'
import { shown } from './shown.ts'
import type { ObjectStore } from '../doors/object-store.ts'

/** Of a key, its prefix in the bucket included; in UTF-8. */
export const MAX_KEY_BYTES = 1024

const encoder = new TextEncoder()
const controls = /[\u0000-\u001f\u007f]/
const oddSegment = /(?:^|\/)\.{0,2}(?:\/|$)/
const loneSurrogate = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/

/** Throws `invalid` unless the key is one that every store takes (see {@link ObjectStore}). */
export function checkKey(key: string): void {
  if (typeof key !== 'string') throw invalid('KEY', `A key is a string, not ${shown(key)}.`)
  const why = flawOf(key)
  if (why !== undefined) throw invalid('KEY', `The key ${JSON.stringify(key)} ${why}.`, { context: { key } })
}

/** Whether {@link checkKey} lets it pass. */
export function isKey(key: string): boolean {
  return flawOf(key) === undefined
}

function flawOf(key: string): string | undefined {
  // A unit of UTF-16 is at most three bytes: most keys need not be encoded to be counted.
  const bytes = key.length * 3 <= MAX_KEY_BYTES ? key.length : encoder.encode(key).length
  if (bytes < 1 || bytes > MAX_KEY_BYTES) return `has ${bytes} bytes; 1 to ${MAX_KEY_BYTES} are allowed`
  if (controls.test(key) || !key.isWellFormed()) return 'holds a control character or half a surrogate pair'
  return oddSegment.test(key) ? 'has an empty, "." or ".." segment' : undefined
}

/** What a service can be asked for of a prefix, or of a key to begin after: up to half a surrogate pair, which has no spelling in UTF-8. */
export function spellable(text: string): string {
  return text.isWellFormed() ? text : text.slice(0, text.search(loneSurrogate))
}

/** The location of a key, as table metadata names it: `root + key`, raw. Nothing is percent-encoded: engines open it as it stands. */
export function uriOf(store: Pick<ObjectStore, 'root'>, key: string): string {
  return store.root + key
}

/**
 * The key of a location in this store, taken raw: `%20` is three characters. `file:/x` and a bare `/x`, as some engines
 * write, mean `file:///x`. What is written or deleted is named by this key only; {@link keysOf} is for reads.
 * @throws `invalid` with code `OUTSIDE_STORE` when the location lies elsewhere: metadata never makes us read other places.
 */
export function keyOf(store: NamedPlace, uri: string): string {
  const location = oneSpelling(uri)
  const root = rootsOf(store).find((one) => location.startsWith(one))
  if (root === undefined) {
    const message = `${uri} lies outside of ${store.name}: it is not read. Give a store that holds it, or a function that finds one.`
    throw invalid('OUTSIDE_STORE', message, { context: { uri, root: store.root } })
  }
  const key = location.slice(root.length)
  checkKey(key)
  return key
}

/** A store, as far as locations go. */
export type NamedPlace = Pick<ObjectStore, 'root' | 'name' | 'aliases'>

/**
 * The keys that a location may mean, at least one: raw, then, for engines that encode what they write, percent-decoded
 * behind the root and as a whole. @throws like {@link keyOf} when no spelling lies in the store.
 */
export function keysOf(store: NamedPlace, uri: string): readonly string[] {
  const location = oneSpelling(uri)
  const root = rootsOf(store).find((one) => location.startsWith(one))
  const inside = root === undefined ? undefined : decoded(location.slice(root.length))
  const spellings = [location, inside === undefined ? undefined : root! + inside, decoded(location)]
  const keys = new Set<string>()
  for (const spelling of spellings) {
    try {
      if (spelling !== undefined) keys.add(keyOf(store, spelling))
    } catch {
      // A spelling that leads elsewhere is not meant.
    }
  }
  return keys.size === 0 ? [keyOf(store, uri)] : [...keys]
}

/** By what locations in the store may begin, in one spelling: the root first. */
export function rootsOf({ root, aliases = [] }: Pick<ObjectStore, 'root' | 'aliases'>): readonly string[] {
  return [root, ...aliases].map(oneSpelling)
}

/** Whether two locations are the same one, `file:/x`, `/x`, `file:///x` and slashes at the end apart; all else is compared raw. */
export function isSameLocation(a: string, b: string): boolean {
  const plain = (uri: string): string => oneSpelling(uri).replace(/\/+$/, '')
  return plain(a) === plain(b)
}

/**
 * @throws `invalid` code `ROOT` for a root that is no URI ending in a slash, or that engines cannot open as it stands: `#`
 * and `?` end a path, `"` begins a quoted name, control characters and half surrogate pairs have no spelling.
 */
export function checkRoot({ root, name }: Pick<ObjectStore, 'root' | 'name'>): void {
  const found = /^[a-z][a-z0-9+.-]*:\/\/.*\/$/s.test(root)
    ? (/[#?"]/.exec(root)?.[0] ?? controls.exec(root)?.[0] ?? loneSurrogate.exec(root)?.[0])
    : 'no scheme, or no slash at its end'
  if (found === undefined) return
  const what = found.length === 1 ? `holds ${JSON.stringify(found)}` : `has ${found}`
  const message = `${name} cannot hold the tables of a log: its root ${JSON.stringify(root)} ${what}, and engines would look for them elsewhere. Choose another place.`
  throw invalid('ROOT', message, { context: { root } })
}

/** `file:///x` of `file:/x` and a bare `/x`; all else as it is. */
export function oneSpelling(uri: string): string {
  return uri.startsWith('/') ? `file://${uri}` : uri.replace(/^file:\/(?!\/)/, 'file:///')
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** Orders keys by the bytes of their UTF-8, as every store lists them (JavaScript's own order is by UTF-16 unit). */
export function compareKeys(a: string, b: string): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) {
    const left = a.charCodeAt(i)
    const right = b.charCodeAt(i)
    if (left !== right) return placeOf(left) - placeOf(right)
  }
  return a.length - b.length
}

/** A unit of UTF-16 by the order of UTF-8: halves of pairs, which spell what lies above U+FFFF, come behind all others. */
function placeOf(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}
