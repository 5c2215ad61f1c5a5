import type { ListOptions, ObjectInfo, ObjectStore } from '../doors/object-store.ts'
import { compareKeys } from '../model/object-key.ts'

/** The objects in byte order of their keys, of any store: one that lists in no order is listed whole first, and held in memory. */
export async function* listInOrder(
  store: Pick<ObjectStore, 'list' | 'listOrder'>,
  options: ListOptions = {},
): AsyncIterable<ObjectInfo> {
  if (store.listOrder === 'bytes') return yield* store.list(options)
  const infos: ObjectInfo[] = []
  for await (const info of store.list(options)) infos.push(info)
  yield* infos.sort((a, b) => compareKeys(a.key, b.key))
}
