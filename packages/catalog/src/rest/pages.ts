import type { RestAnswer } from './transport.ts'
import type { ReadAnswer } from './wire/answers.ts'

/** Pages without an item, one after the other, after which no more are asked for. */
const MAX_EMPTY = 100

interface Page {
  readonly 'next-page-token'?: string | null
}

/**
 * All items of a list, page by page: REST specification, `PageToken`.
 * @param ask Sends the request for a page, of the token where there is one.
 * @throws `unavailable` code `CATALOG_ANSWER` for a token that came before, and for a list that goes on without items.
 */
export async function* pages<T, P extends Page>(
  ask: (query: Readonly<Record<string, string>>) => Promise<{ answer: RestAnswer; page: P }>,
  itemsOf: (page: P) => readonly T[],
  pageSize: number | undefined,
): AsyncGenerator<T> {
  const seen = new Set<string>()
  const size = pageSize === undefined ? {} : { pageSize: String(pageSize) }
  let query: Readonly<Record<string, string>> = pageSize === undefined ? {} : { ...size, pageToken: '' }
  for (let empty = 0; ;) {
    const { answer, page } = await ask(query)
    const items = itemsOf(page)
    yield* items
    const token = page['next-page-token'] ?? ''
    if (token === '') return
    empty = items.length === 0 ? empty + 1 : 0
    if (seen.has(token)) throw answer.fault('names a page that came before: the list would never end')
    if (empty >= MAX_EMPTY) throw answer.fault(`is the ${MAX_EMPTY}th page without an item: the list would never end`)
    seen.add(token)
    query = { ...size, pageToken: token }
  }
}

/** A page and what it says. */
export function pageOf<P>(answer: RestAnswer, read: ReadAnswer<P>): { answer: RestAnswer; page: P } {
  return { answer, page: answer.read(read) }
}
