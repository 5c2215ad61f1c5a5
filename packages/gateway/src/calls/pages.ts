import { invalid } from '@moulin/core'
import type { GatewayCall } from '../gateway.ts'

export interface Page<T> {
  readonly items: readonly T[]
  /** Where the next one goes on; undefined behind the last. */
  readonly token: string | undefined
}

/**
 * A page of what a catalog lists in no order, sorted by name: one that goes on after a name is the same whatever came and went before
 * it. A caller that asks for no pages is given everything.
 *
 * Spec: Iceberg REST catalog, `pageToken` and `pageSize`.
 */
export async function pageOf<T>(
  { query }: Pick<GatewayCall, 'query'>,
  list: AsyncIterable<T>,
  nameOf: (item: T) => string,
  maxPageSize: number,
): Promise<Page<T>> {
  const after = query.get('pageToken')
  const asked = query.get('pageSize')
  const size = asked === null ? maxPageSize : pageSize(asked, maxPageSize)
  const last = after === null || after === '' ? undefined : nameIn(after)
  const found: { readonly name: string; readonly item: T }[] = []
  for await (const item of list) {
    const name = nameOf(item)
    if (last === undefined || name > last) found.push({ name, item })
  }
  found.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  const isPaged = after !== null || asked !== null
  const page = isPaged ? found.slice(0, size) : found
  return {
    items: page.map(({ item }) => item),
    token: page.length < found.length ? tokenOf(page.at(-1)!.name) : undefined,
  }
}

function pageSize(text: string, max: number): number {
  const size = Number(text)
  if (Number.isSafeInteger(size) && size >= 1) return Math.min(size, max)
  throw invalid('BAD_REQUEST', `pageSize must be a whole number from 1, not ${JSON.stringify(text)}.`)
}

/** What it is made of is nobody else's business. */
function tokenOf(name: string): string {
  return Buffer.from(name).toString('base64url')
}

function nameIn(token: string): string {
  const name = Buffer.from(token, 'base64url').toString()
  if (tokenOf(name) !== token) throw invalid('BAD_REQUEST', 'pageToken is none that this server gave.')
  return name
}
