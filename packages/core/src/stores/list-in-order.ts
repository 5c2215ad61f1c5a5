import type { ListOptions, ObjectInfo, ObjectStore } from '../doors/object-store.ts'
import { exhausted, unsupported } from '../model/errors.ts'
import { compareKeys } from '../model/object-key.ts'

/** How many objects a list in no order may have that is to be sorted. */
export const MAX_LIST_KEYS = 1_000_000

/**
 * The objects in byte order of their keys, of any store: one that lists in no order is listed whole first, and held in memory.
 * @throws `exhausted` code `LIST_TOO_LONG` for more than `maxListKeys` objects in no order.
 */
export async function* listInOrder(
  store: Pick<ObjectStore, 'name' | 'list' | 'listOrder'>,
  options: ListOptions = {},
  maxListKeys: number = MAX_LIST_KEYS,
): AsyncIterable<ObjectInfo> {
  if (store.listOrder === 'bytes') return yield* store.list(options)
  const infos: ObjectInfo[] = []
  for await (const info of store.list(options)) {
    if (infos.length === maxListKeys) {
      const message = `${store.name} lists in no order, and there are more than the ${maxListKeys} objects below ${JSON.stringify(options.prefix ?? '')} that are sorted in memory: keep fewer, or use a store with byte order.`
      throw exhausted('LIST_TOO_LONG', message, { context: { store: store.name, maxListKeys } })
    }
    infos.push(info)
  }
  yield* infos.sort((a, b) => compareKeys(a.key, b.key))
}

/**
 * What a service lists, as long as it keeps to the byte order that it was said to have: an adapter that hands `start-after` on
 * loses keys where it does not.
 * @throws `unsupported` code `LIST_ORDER` at the first key that is out of order.
 */
export async function* inByteOrder(store: string, infos: AsyncIterable<ObjectInfo>): AsyncIterable<ObjectInfo> {
  const check = byteOrderCheck(store)
  for await (const info of infos) {
    check(info.key)
    yield info
  }
}

/** To be called with each key as it comes: see {@link inByteOrder}. */
export function byteOrderCheck(store: string): (key: string) => void {
  let last: string | undefined
  return (key) => {
    if (last !== undefined && compareKeys(last, key) >= 0) {
      const message = `${store} lists ${JSON.stringify(key)} after ${JSON.stringify(last)}, which is not the order of their bytes: open it with listOrder: 'none'.`
      throw unsupported('LIST_ORDER', message, { context: { store, last, key } })
    }
    last = key
  }
}
