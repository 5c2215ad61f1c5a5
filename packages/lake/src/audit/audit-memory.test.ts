import { jsonBytes, parseJson } from '@moulin/core'
import { hookedStore } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { keyOfAudits, loadAuditMemory, storeAuditMemory } from './audit-memory.ts'
import type { AuditMemory } from './audit-memory.ts'

const TOPIC = '22222222-2222-4222-8222-222222222222'
const found: AuditMemory = {
  topic: TOPIC,
  snapshot: 2n ** 62n,
  timeMs: 1_700_000_000_000,
  addedBy: [-1n, 2n ** 62n],
  deleted: [
    {
      incarnation: 1,
      partition: 0,
      start: 0n,
      frontier: 2n ** 60n,
      count: 2n ** 54n,
      ranges: [
        { from: 0n, to: 3n },
        { from: 5n, to: 2n ** 53n + 1n },
      ],
    },
    { incarnation: 2, partition: 7, start: 9n, frontier: 20n, count: 4n, ranges: [] },
  ],
}

describe('what a deep audit found deleted', () => {
  it('is read as it was stored, 64-bit numbers and all, under a key of the topic alone', async () => {
    const store = hookedStore()
    expect(await loadAuditMemory(store, TOPIC, {})).toBeUndefined()
    await storeAuditMemory(store, { ...found, snapshot: null, deleted: [] }, {})
    await storeAuditMemory(store, found, {})
    expect(await loadAuditMemory(store, TOPIC, {})).toEqual(found)
    const keys: string[] = []
    for await (const { key } of store.list()) keys.push(key)
    expect(keys).toEqual([`log/audits/${TOPIC}`])
    expect(await loadAuditMemory(store, 'another', {})).toBeUndefined()
  })

  const edited = async (edit: (json: Record<string, unknown>) => void): Promise<unknown> => {
    const store = hookedStore()
    await storeAuditMemory(store, found, {})
    const { bytes } = await store.get(keyOfAudits(TOPIC))
    const json = parseJson(bytes, 'it') as Record<string, unknown>
    edit(json)
    await store.put(keyOfAudits(TOPIC), jsonBytes(json))
    return loadAuditMemory(store, TOPIC, {}).catch((error: unknown) => error)
  }

  it('has a format of its own: members of a later one are passed over, and one that asks for a later reader is refused', async () => {
    expect(await edited((json) => Object.assign(json, { format: 9, later: true }))).toEqual(found)
    const refused = { kind: 'unsupported', code: 'FORMAT_VERSION', context: { stored: 'audit', minimumReader: 2 } }
    expect(await edited((json) => (json['minimumReader'] = 2))).toMatchObject(refused)
  })

  it.each([
    ['another topic', { topic: 'another' }],
    ['a range that ends before it begins', { deleted: [[1, 0, '0', '9', '4', [['5', '5']]]] }],
    [
      'ranges that overlap',
      {
        deleted: [
          [
            1,
            0,
            '0',
            '9',
            '9',
            [
              ['1', '4'],
              ['4', '5'],
              ['4', '6'],
            ],
          ],
        ],
      },
    ],
    ['a range beyond the frontier', { deleted: [[1, 0, '0', '9', '9', [['1', '10']]]] }],
    ['a range before the start', { deleted: [[1, 0, '2', '9', '9', [['1', '3']]]] }],
    ['more offsets than it counts', { deleted: [[1, 0, '0', '9', '2', [['1', '4']]]] }],
    ['no ranges', { deleted: [[1, 0, '0', '9', '2']] }],
    ['no number', { deleted: [[1, 0, '0', 'x', '2', []]] }],
    ['no list', { deleted: {} }],
    ['an id that is none', { addedBy: ['x'] }],
  ])('is corrupt with %s, and says which object it is', async (_what, members) => {
    const error = await edited((json) => Object.assign(json, members))
    expect(error).toMatchObject({ kind: 'corrupt', message: expect.stringContaining(`log/audits/${TOPIC}`) as string })
  })
})
