import { hasOutcome, isKind } from '@moulin/core'
import type { BatchRun } from '@moulin/core'
import { cutRun } from './cut-run.ts'
import { rowsIn } from './memory-audit.ts'
import type { MemoryPage, MemoryTable } from './memory-history.ts'
import { least, most } from './memory-state.ts'
import type { MemoryTopicParts } from './memory-state.ts'

/** What could not be put back is looked at again after this. */
const AGAIN_MS = 3_600_000

/** Puts pages in the place of those that are missing, while the log still has their records. */
export class MemoryRepairs {
  readonly #parts: MemoryTopicParts
  /** Missing pages that were not put back, with when they are looked at again: wall time. */
  #left = new Map<string, number>()
  /** Of a commit without an answer. */
  #pending: readonly string[] | undefined
  /** A commit stands that no call has answered for. */
  #isUntold = false

  constructor(parts: MemoryTopicParts) {
    this.#parts = parts
  }

  dueMs(missing: readonly string[]): number | undefined {
    const now = this.#parts.context.runtime.clock.now()
    if (this.#isUntold) return now
    return missing.length === 0 ? undefined : Math.min(...missing.map((name) => this.#left.get(name) ?? now))
  }

  /** What became of a commit without an answer, the history says. */
  async settle({ commits }: MemoryTable): Promise<void> {
    const pending = this.#pending
    this.#pending = undefined
    if (pending === undefined) return
    const names = new Set(commits.flatMap(({ pages }) => pages.map(({ name }) => name)))
    if (!pending.every((name) => names.has(name))) return
    this.#isUntold = true
    // It stands: what cannot be written down of it now is the log's to do again.
    await this.#parts.context.renewGrace?.().catch(() => undefined)
  }

  /** True: some pages were put back, by this call or by one before that could not say so. `load` says what is there. */
  async run(load: () => Promise<MemoryTable>, isThere: (page: MemoryPage) => boolean): Promise<boolean> {
    const { history, info, context } = this.#parts
    const table = await load()
    await this.settle(table)
    const missing = table.commits.flatMap(({ pages }) => pages).filter((page) => !isThere(page))
    const id = table.marker.commit + 1n
    const put = new Map<MemoryPage, MemoryPage>()
    for (const page of missing) {
      const runs = await this.#heldRuns(page)
      if (runs !== undefined) put.set(page, { ...page, runs, name: `${page.name}-again-${id}` })
    }
    if (put.size > 0) {
      const commits = table.commits.map((commit) => ({
        ...commit,
        pages: commit.pages.map((page) => put.get(page) ?? page),
      }))
      const next = { marker: { ...table.marker, commit: id }, commits: [...commits, { id, pages: [] }] }
      await context.renewGrace?.()
      try {
        await history.commit(info.table, table.version, next)
      } catch (error) {
        if (isKind(error, 'conflict', 'VERSION')) await context.checkFence()
        else if (hasOutcome(error, 'unknown')) this.#pending = [...put.values()].map(({ name }) => name)
        throw error
      }
      this.#isUntold = true
      await load()
    }
    const againMs = context.runtime.clock.now() + AGAIN_MS
    this.#left = new Map(missing.filter((page) => !put.has(page)).map(({ name }) => [name, againMs]))
    const hasRepaired = this.#isUntold
    this.#isUntold = false
    return hasRepaired
  }

  /** The page's records as the log has them; undefined where it has let go of some, or has others. */
  async #heldRuns({ incarnation, partition, from, to, runs: before }: MemoryPage): Promise<BatchRun[] | undefined> {
    const { info, context } = this.#parts
    if (incarnation !== info.incarnation || context.hot.releasedOffsets()[partition]! > from) return undefined
    const runs: BatchRun[] = []
    for await (const run of context.hot.read({ partition, from, to })) {
      const range = { partition, from: most(from, run.baseOffset), to: least(to, run.nextOffset) }
      if (range.from < range.to) runs.push({ ...cutRun(run, range), batches: run.batches.slice() })
    }
    return rowsIn(runs, context.recordsOf) === rowsIn(before, context.recordsOf) ? runs : undefined
  }
}
