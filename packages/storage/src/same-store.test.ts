import type { ListOptions, ObjectStore } from '@moulin/core'
import { isMoulinError } from '@moulin/core'
import { virtualRuntime } from '@moulin/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fileSystem } from './file-system.ts'
import { memory } from './memory.ts'
import { prefix } from './layers/prefix.ts'

// No key below another: a folder cannot have those. Siblings that sort around the slash.
const key = fc.constantFrom('a', 'b/x', 'b/y/1', 'b/y/2', 'b-', 'b.c/1', 'b0', 'é/\u{1f600}', 'é/\uff5e', 'Z', 'z/z/z')
const piece = fc.constantFrom('', 'a', 'b', 'b/', 'b/y', 'b/y/', 'b-', 'b.c/1', 'b/y/1', 'é/', 'é/\uff5e', '~', 'z/z/z')
const bytes = fc.uint8Array({ maxLength: 6 })

type Step = (store: ObjectStore) => Promise<unknown>
const named = (name: string, step: Step): Step => Object.assign(step, { toString: () => name })

async function listed(store: ObjectStore, options: ListOptions): Promise<[string, number][]> {
  const found: [string, number][] = []
  for await (const info of store.list(options)) found.push([info.key, info.size])
  return found
}

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(key, bytes, fc.constantFrom('create', 'overwrite')).map(([at, content, mode]) =>
    named(`${mode} ${at} [${content.join()}]`, async (store) => {
      await store.put(at, content, { mode: mode as 'create' | 'overwrite' })
    }),
  ),
  key.map((at) => named(`delete ${at}`, (store) => store.delete(at))),
  key.map((at) => named(`get ${at}`, async (store) => [...(await store.get(at)).bytes])),
  fc
    .tuple(key, fc.integer({ min: 0, max: 7 }), fc.integer({ min: 0, max: 9 }))
    .map(([at, start, end]) =>
      named(`get ${at} [${start}, ${end})`, async (store) => [
        ...(await store.get(at, { range: { start, end } })).bytes,
      ]),
    ),
  key.map((at) => named(`head ${at}`, async (store) => (await store.head(at))?.size)),
  fc
    .tuple(piece, piece)
    .map(([start, after]) => named(`list ${start} after ${after}`, (store) => listed(store, { prefix: start, after }))),
)

async function run(store: ObjectStore, steps: readonly Step[]): Promise<unknown[]> {
  const answers: unknown[] = []
  for (const each of steps) {
    answers.push(
      await each(store).catch((error: unknown) => {
        if (!isMoulinError(error)) throw error
        return `${error.kind} ${error.code}`
      }),
    )
  }
  return answers
}

describe('fileSystem and prefix beside memory', () => {
  it('give the same answers to every sequence of calls', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const expected = await run(memory(), steps)
        const folder = fileSystem({ root: '/srv/lake', runtime: virtualRuntime({ seed: 1 }) })
        expect(await run(folder, steps)).toEqual(expected)
        expect(await run(prefix(memory(), 'b/'), steps)).toEqual(expected)
      }),
      { numRuns: 300 },
    )
  })
})
