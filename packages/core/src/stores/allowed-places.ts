import { invalid } from '../model/errors.ts'
import { oneSpelling } from '../model/object-key.ts'
import { shown } from '../model/shown.ts'

/**
 * Whether a location may be a file's: it has scheme and authority of one that is allowed, and lies in its folder, however it is spelled.
 * Taken literally otherwise: `s3a:` is another scheme than `s3:`.
 *
 * @throws `invalid` code `ALLOW` for what is no URI of a folder. The check throws `invalid` code `OUTSIDE_STORE`.
 */
export function allowedPlaces(allow: readonly string[]): (location: string) => void {
  const folders = allow.map(folderOf).flatMap((folder) => [folder, decoded(folder) ?? folder])
  return (location) => {
    const plain = oneSpelling(location)
    const folder = folders.find((one) => plain.startsWith(one))
    if (folder !== undefined && !leadsOut(plain.slice(folder.length))) return
    const message = `${shown(location)} lies outside of what is allowed for the files of tables (${allow.join(', ')}): it is not touched. Allow its folder, if it is meant.`
    throw invalid('OUTSIDE_STORE', message, { context: { uri: location } })
  }
}

function folderOf(allowed: string): string {
  const plain = oneSpelling(allowed)
  if (/^[a-z][a-z0-9+.-]*:\/\//.test(plain) && !leadsOut(plain)) return plain.replace(/\/*$/, '/')
  const message = `${shown(allowed)} is no folder that files of tables may be allowed in: give a URI such as s3://bucket/warehouse/.`
  throw invalid('ALLOW', message, { context: { allow: allowed } })
}

/** Engines encode what they write, some of it twice; and a system may take a backslash for a slash. */
function leadsOut(path: string): boolean {
  let text: string | undefined = path
  for (let round = 0; round < 3 && text !== undefined; round++) {
    if (text.split(/[/\\]/).some((step) => step === '.' || step === '..')) return true
    text = decoded(text)
  }
  return false
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
