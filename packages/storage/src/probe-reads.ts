import { isKind } from '@moulin/core'
import type { Lie, ProbedStore } from './probed-store.ts'

export async function checkRanges(store: ProbedStore, lie: Lie): Promise<void> {
  await store.put('range', '0123456789')
  const cases = [
    { range: { start: 2, end: 5 }, text: '234' },
    { range: { start: 7 }, text: '789' },
    { range: { start: 8, end: 99 }, text: '89' },
  ]
  for (const { range, text } of cases) {
    const read = new TextDecoder().decode(await store.get('range', range))
    if (read !== text)
      throw lie('RANGE_WRONG', `bytes [${range.start}, ${range.end ?? ''}) of 0123456789 are "${read}"`)
  }
  for (const [suffix, text] of [
    [3, '789'],
    [99, '0123456789'],
  ] as const) {
    const read = new TextDecoder().decode(await store.get('range', { suffix }))
    if (read !== text) throw lie('SUFFIX_WRONG', `the last ${suffix} bytes of 0123456789 are "${read}"`)
  }
  const error: unknown = await store.get('range', { start: 10 }).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!isKind(error, 'invalid', 'RANGE')) throw lie('RANGE_PAST_END', 'a range past the end is not refused')
}

export async function checkList(store: ProbedStore, lie: Lie): Promise<void> {
  const keys = ['list-01', 'list-02', 'list-03', 'list-10', 'list-2', 'list-a']
  for (const key of [3, 0, 5, 1, 4, 2]) await store.put(keys[key]!, 'x')
  const listed = await store.list('list-')
  if (keys.some((key) => !listed.includes(key))) throw lie('LIST_INCOMPLETE', 'a list leaves objects out')
  if (listed.join() !== keys.join()) throw lie('LIST_ORDER', 'a list is out of order, or shows an object twice')
  const after = await store.list('list-', 'list-03')
  if (after.join() !== 'list-10,list-2,list-a')
    throw lie('LIST_AFTER', 'a list does not begin right after the key it was given')
  const some = await store.list('list-0')
  if (some.join() !== 'list-01,list-02,list-03') throw lie('LIST_INCOMPLETE', 'a list does not keep to its prefix')
  // A tree has the folder first. Found here, and not when a log gets its second topic.
  const ofTree = ['tree-x', 'tree/x']
  for (const key of ofTree) await store.put(key, 'x')
  if ((await store.list('tree')).join() !== ofTree.join())
    throw lie('LIST_ORDER', "a list has the order of a tree, not of bytes: open it with listOrder: 'none'")
}
