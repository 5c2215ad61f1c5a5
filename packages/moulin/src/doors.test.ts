import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { stringifyJson } from './index.ts'
import type { ColdTier, LogStats, ObjectStore, Runtime, Sequencer, TopicStats } from './index.ts'

const read = (path: string): Promise<string> => readFile(new URL(path, import.meta.url), 'utf8')

/** What a module's `export type { … } from '…'` names, by the module that it comes from. */
function typesIn(source: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const [, names, from] of source.matchAll(/export type \{([^}]*)\} from '([^']+)'/g)) {
    for (const name of names!.split(',')) if (name.trim() !== '') found.set(name.trim(), from!)
  }
  return found
}

describe('the doors', () => {
  it('are all named by this package: no adapter needs another one for its types', async () => {
    const core = typesIn(await read('../../core/src/index.ts'))
    const here = new Set(typesIn(await read('index.ts')).keys())
    const doors = [...core].flatMap(([name, from]) => (from.startsWith('./doors/') ? [name] : []))
    expect(doors.length).toBeGreaterThan(80)
    expect(doors.filter((name) => !here.has(name))).toEqual([])
  })

  it('are written against from here', () => {
    // What a wrapper of a user's looks like: it compiles, or this test does not run.
    const named = (store: ObjectStore, name: string): ObjectStore => ({ ...store, name })
    const logged = (runtime: Runtime, logger: Runtime['logger']): Runtime => ({ ...runtime, logger })
    const closes = (part: Partial<ColdTier & Sequencer>): boolean => part.close !== undefined
    expect([named, logged, closes].every((work) => typeof work === 'function')).toBe(true)
  })

  it('write what stats say, 64-bit numbers as numbers', () => {
    const stats = { snapshotId: 9_007_199_254_740_993n, lastError: null } satisfies Partial<TopicStats & LogStats>
    expect(stringifyJson(stats)).toBe('{"snapshotId":9007199254740993,"lastError":null}')
  })
})
