import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { invalid, unsupported } from './errors.ts'
import { shown } from './shown.ts'

// One letter is a drive of Windows, `C:\lake`. A colon without a slash behind it may stand in the name of a file.
const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]+):\//

/**
 * The absolute path of a folder that somebody names: by path, relative to the working folder; by the text of a `file:` URL; by a URL
 * object. What is percent-encoded in a URL is decoded, as everywhere; a path is taken as it stands. Nothing is looked up or made.
 *
 * @param what Begins the message: the function, as its caller knows it.
 * @throws `unsupported` code `STORE_SCHEME` for a URL of another scheme; `invalid` code `PLACE` for what is no place at all.
 */
export function folderOf(what: string, place: unknown): string {
  if (place instanceof URL) return pathOfUrl(what, place)
  if (typeof place !== 'string' || place === '' || place.includes('\0')) {
    const sentence = `${what}: the place is ${shown(place)}; it must be a folder's path, a file: URL or a URL object.`
    throw invalid('PLACE', sentence)
  }
  const name = scheme.exec(place)?.[1]?.toLowerCase()
  if (name === undefined) return resolve(place)
  if (name !== 'file') throw otherScheme(what, name)
  const url = URL.canParse(place) ? new URL(place) : undefined
  if (url === undefined) throw badUrl(what, 'does not parse')
  return pathOfUrl(what, url)
}

function pathOfUrl(what: string, url: URL): string {
  if (url.protocol !== 'file:') throw otherScheme(what, url.protocol.slice(0, -1))
  if (url.search !== '' || url.hash !== '') throw badUrl(what, 'has a query or a fragment, which no folder has')
  try {
    return resolve(fileURLToPath(url))
  } catch (cause) {
    throw badUrl(what, 'names no folder of this machine', cause)
  }
}

// Of the URL only the scheme is shown: the rest may hold a password.
function otherScheme(what: string, name: string): Error {
  const message = `${what}: there is no store for ${name}: URLs here; a place is a folder, by path or file: URL. A store of another kind is passed as an object: openLog({ store, wal, tier }) takes any ObjectStore, such as memory() or one of your own.`
  return unsupported('STORE_SCHEME', message, { context: { scheme: name } })
}

function badUrl(what: string, why: string, cause?: unknown): Error {
  const message = `${what}: the file: URL ${why}. Write file:///folder, or give the folder's path.`
  return invalid('PLACE', message, cause === undefined ? {} : { cause })
}
