import type { TableIdentifier } from '@moulin/core'
import { nameKey } from '../open-names.ts'

/** The oldest are forgotten. */
const MAX_PLACES = 4096

interface Place {
  readonly identifier: TableIdentifier
  readonly location: string
}

/** Where tables lie that were loaded, to know whose credentials are asked for. */
export class TablePlaces {
  readonly #places = new Map<string, Place>()

  remember(identifier: TableIdentifier, location: string): void {
    const key = tableKey(identifier)
    this.#places.delete(key)
    this.#places.set(key, { identifier, location: plainScheme(location).replace(/\/+$/, '') })
    if (this.#places.size > MAX_PLACES) this.#places.delete(this.#places.keys().next().value!)
  }

  forget(identifier: TableIdentifier): void {
    this.#places.delete(tableKey(identifier))
  }

  /** The one whose location is the longest that the file's begins with; of the names of one table, which others may have changed, the last. */
  tableAt(location: string): TableIdentifier | undefined {
    const plain = plainScheme(location)
    const [found] = [...this.#places.values()]
      .reverse()
      .filter((each) => plain === each.location || plain.startsWith(`${each.location}/`))
      .sort((a, b) => b.location.length - a.location.length)
    return found?.identifier
  }
}

export function tableKey({ namespace, name }: TableIdentifier): string {
  return nameKey([...namespace, name])
}

/** Names of one scheme: a catalog may say another than its metadata. */
function plainScheme(location: string): string {
  return location.replace(/^s3[an](?=:)/, 's3')
}
