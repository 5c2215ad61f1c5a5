import type { ListOptions, ListOrder, ObjectInfo } from '../doors/object-store.ts'
import { throwIfAborted } from '../model/errors.ts'
import { compareKeys, isKey, spellable } from '../model/object-key.ts'
import { objectStoreOptions } from '../options/object-store-options.ts'
import { checkOptions } from '../options/options.ts'
import { failureBy } from './answers.ts'
import type { Bucket } from './bucket.ts'
import { byteOrderCheck } from './list-in-order.ts'
import type { TimedCalls } from './timed-calls.ts'

export interface ListedPlace {
  readonly store: string
  readonly prefix: string
  readonly listOrder: ListOrder
}

/**
 * The objects of a bucket below the store's prefix, page by page: those that were asked for, whatever the service says beside them, and
 * whose names are keys.
 * @throws what `failure` tells; `unavailable` where the pages go round; `unsupported` code `LIST_ORDER`; `invalid` for a bad option.
 */
export async function* bucketList(
  bucket: Bucket,
  timed: TimedCalls,
  { store, prefix, listOrder }: ListedPlace,
  ask: ListOptions,
): AsyncIterable<ObjectInfo> {
  checkOptions(`${store}.list`, ask, objectStoreOptions.list)
  const { prefix: below = '', after, signal } = ask
  const from = after === undefined || listOrder === 'none' ? {} : { after: spellable(prefix + after) }
  const whole = prefix + below
  const checkOrder = listOrder === 'bytes' ? byteOrderCheck(store) : undefined
  const tokens = new Set<string>()
  let token: string | undefined
  do {
    const asked = { prefix: spellable(whole), ...(token === undefined ? from : { token }) }
    const page = await timed({ call: 'list', key: below, signal }, (end) => bucket.listPage(asked, end))
    for (const info of page.infos) {
      throwIfAborted(signal)
      const key = info.key.slice(prefix.length)
      if (!info.key.startsWith(whole) || !isKey(key)) continue
      if (after !== undefined && compareKeys(key, after) <= 0) continue
      checkOrder?.(key)
      yield prefix === '' ? info : { ...info, key }
    }
    token = page.token
    // A page that has been would come again, and the list never end.
    if (token !== undefined && (token === '' || tokens.has(token)))
      throw failureBy('failed', { store, call: 'list', key: below, name: 'EndlessList' })
    if (token !== undefined) tokens.add(token)
  } while (token !== undefined)
}
