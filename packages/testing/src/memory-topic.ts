import { aborted, closed, invalid, isKind, notFound, throwIfAborted, waitFor } from '@moulin/core'
import type {
  AuditOptions,
  AuditReport,
  BatchRun,
  CallOptions,
  ColdTopic,
  Lineage,
  Position,
  Scan,
  ScanOptions,
  TierResult,
} from '@moulin/core'
import { cutRun, gapRun, spanned } from './cut-run.ts'
import type { OffsetsOf } from './cut-run.ts'
import { abortedIn, memoryAudit, rowsIn } from './memory-audit.ts'
import type { MemoryLedgerEntry, MemoryPage, MemoryTable } from './memory-history.ts'
import { MemoryRepairs } from './memory-repair.ts'
import { memoryScan } from './memory-rows.ts'
import type { ScannedRun } from './memory-rows.ts'
import { foundOrBegun, judged, least, most, pagesOf, presentEntries } from './memory-state.ts'
import type { MemoryTopicParts } from './memory-state.ts'

/** How long what a commit has replaced is kept. */
const KEPT_MS = 3_600_000

type UpTo = { readonly upTo: readonly bigint[]; readonly signal?: AbortSignal }

/** One topic's history in arrays. Made by {@link MemoryTopic.attach}. */
export class MemoryTopic implements ColdTopic {
  readonly #parts: MemoryTopicParts
  #table: MemoryTable
  /** The last call of `tier`: they come one after the other. */
  #last: Promise<unknown> = Promise.resolve()
  #missing: readonly string[] = []
  /** Versions that a commit has replaced, and until when they are kept. */
  readonly #repairs: MemoryRepairs
  #replaced: { readonly dueMs: number; readonly table: MemoryTable }[] = []
  #isClosed = false

  private constructor(parts: MemoryTopicParts, table: MemoryTable) {
    this.#parts = parts
    this.#table = table
    this.#repairs = new MemoryRepairs(parts)
  }

  static async attach(parts: MemoryTopicParts): Promise<MemoryTopic> {
    return new MemoryTopic(parts, await foundOrBegun(parts))
  }

  /** All that the log holds, by partition. */
  static async *hotRuns({ info, context }: MemoryTopicParts, signal?: AbortSignal): AsyncGenerator<ScannedRun> {
    const { hot } = context
    const from = [...hot.releasedOffsets()]
    const pin = hot.pin(from)
    try {
      const ends = [...hot.committedOffsets()]
      for (const [partition, to] of ends.entries()) {
        const range = { partition, from: from[partition]!, to }
        for await (const run of spanned(hot.read({ ...range, ...callOf(signal) }), range))
          yield { incarnation: info.incarnation, run }
      }
    } finally {
      pin.release()
    }
  }

  frontier(): readonly bigint[] {
    return presentEntries(this.#parts, this.#table).map(({ frontier }) => frontier)
  }

  snapshotId(): bigint | null {
    return this.#table.commits.at(-1)?.id ?? null
  }

  committedAtMs(): number | undefined {
    return this.#table.marker.committedAtMs
  }

  lineage(): Lineage {
    return { verdict: 'intact', evidence: null }
  }

  async refresh({ signal }: CallOptions = {}): Promise<void> {
    this.#check(signal)
    await this.#load()
  }

  async tier({ upTo, signal }: UpTo): Promise<TierResult> {
    this.#check(signal)
    this.#checkWriter()
    const before = this.#last
    let isBegun = false
    const work = before
      .catch(() => undefined)
      .then(() => {
        this.#check(signal)
        isBegun = true
        return this.#move(upTo, signal)
      })
    this.#last = work
    work.catch(() => undefined)
    await waitFor(
      before.catch(() => undefined),
      signal,
    ).catch((error: unknown) => {
      if (!isBegun) throw error
    })
    // From here on whoever aborts hears what became of it.
    return work
  }

  async releasable({ upTo, signal }: UpTo): Promise<readonly bigint[]> {
    this.#check(signal)
    await this.#load()
    throwIfAborted(signal)
    const released = this.#parts.context.hot.releasedOffsets()
    const missing: string[] = []
    const ends = presentEntries(this.#parts, this.#table).map(({ partition, frontier }) => {
      let end = least(upTo[partition]!, frontier)
      const from = released[partition]!
      for (const page of pagesOf(this.#table, partition)) {
        if (page.to <= from || this.#isThere(page)) continue
        missing.push(page.name)
        end = least(end, most(from, page.from))
      }
      return end
    })
    this.#missing = missing
    return ends
  }

  missingFiles(): readonly string[] {
    return this.#missing
  }

  async *read({ signal, ...range }: OffsetsOf & { readonly signal?: AbortSignal }): AsyncGenerator<BatchRun> {
    this.#check(signal)
    const table = this.#table
    const frontier = presentEntries(this.#parts, table)[range.partition]?.frontier ?? 0n
    const wanted = { ...range, to: least(range.to, frontier) }
    for await (const run of spanned(this.#runsOf(table, wanted, signal), wanted)) {
      this.#check(signal)
      yield run
    }
  }

  async *readAt(positions: readonly Position[], { signal }: CallOptions = {}): AsyncGenerator<BatchRun> {
    this.#check(signal)
    for (const { partition, offset } of positions) {
      const place = { partition, from: offset, to: offset + 1n }
      let found: BatchRun | undefined
      for await (const run of this.read({ ...place, ...callOf(signal) })) found = run
      yield found ?? gapRun(place)
    }
  }

  scan(options: ScanOptions): Scan<Record<string, unknown>> {
    this.#check(undefined)
    return memoryScan({ ...this.#parts, runs: () => this.#cut(options.signal) }, options)
  }

  async audit({ signal, onProgress }: AuditOptions = {}): Promise<AuditReport> {
    this.#check(signal)
    const table = await this.#load()
    const present = presentEntries(this.#parts, table)
    const { info, context } = this.#parts
    const earlier = table.marker.entries.filter(({ incarnation }) => incarnation !== info.incarnation)
    const all = [...earlier, ...present]
    const audited = []
    let rows = 0
    for (const [filesDone, entry] of all.entries()) {
      throwIfAborted(signal)
      const pages = pagesOf(table, entry.partition).filter(({ incarnation }) => incarnation === entry.incarnation)
      for (const page of pages) if (!this.#isThere(page)) throw vanished(page)
      const runs = pages.flatMap((page) => page.runs)
      const isPresent = entry.incarnation === info.incarnation
      audited.push({ entry, runs, begins: isPresent ? info.startOffsets[entry.partition]! : entry.start })
      rows += Number(entry.rows)
      onProgress?.({ files: all.length, filesDone: filesDone + 1, rows })
    }
    return memoryAudit(audited, context.recordsOf, context.limits.maxGaps)
  }

  cleanUpDueMs(): number | undefined {
    return this.#replaced[0]?.dueMs
  }

  async cleanUp({ signal }: CallOptions = {}): Promise<void> {
    this.#check(signal)
    const nowMs = this.#parts.context.runtime.clock.now()
    this.#replaced = this.#replaced.filter(({ dueMs }) => dueMs > nowMs)
  }

  repairDueMs(): number | undefined {
    return this.#repairs.dueMs(this.#missing)
  }

  async repair({ signal }: CallOptions = {}): Promise<boolean> {
    this.#check(signal)
    this.#checkWriter()
    const work = this.#last
      .catch(() => undefined)
      .then(async () => {
        this.#check(signal)
        const hasRepaired = await this.#repairs.run(
          () => this.#load(),
          (page) => this.#isThere(page),
        )
        this.#missing = this.#table.commits
          .flatMap(({ pages }) => pages.filter((page) => !this.#isThere(page)))
          .map(({ name }) => name)
        return hasRepaired
      })
    this.#last = work
    work.catch(() => undefined)
    return work
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#last.catch(() => undefined)
  }

  #check(signal: AbortSignal | undefined): void {
    if (this.#isClosed) throw closed('CLOSED', `The cold tier of topic ${this.#parts.info.name} is closed.`)
    throwIfAborted(signal)
  }

  #checkWriter(): void {
    if (this.#parts.context.access === 'read-only')
      throw invalid('READ_ONLY', 'A read-only log moves nothing into its history.')
  }

  async #load(): Promise<MemoryTable> {
    const { history, info } = this.#parts
    const table = await judged(this.#parts, await history.load(info.table))
    if (table.version > this.#table.version) this.#table = table
    return this.#table
  }

  #isThere(page: MemoryPage): boolean {
    return this.#parts.history.isThere(page)
  }

  /** One commit of all that is committed below `upTo`; again where another one came between. */
  async #move(upTo: readonly bigint[], signal: AbortSignal | undefined): Promise<TierResult> {
    const { history, info, context } = this.#parts
    for (;;) {
      // What became of a commit whose answer was lost, the history says.
      const table = await this.#load()
      await this.#repairs.settle(table)
      const { pages, entries, rows } = await this.#gathered(table, upTo, signal)
      if (pages.length === 0) return { snapshotId: this.snapshotId(), rows: 0, frontier: this.frontier() }
      if (signal?.aborted) throw aborted('ABORTED', 'The commit was stopped before it was sent.')
      const { marker, commits } = table
      const { incarnation } = info
      const earlier = marker.entries.filter((entry) => entry.incarnation !== incarnation)
      const id = marker.commit + 1n
      const next = {
        marker: {
          ...marker,
          incarnation,
          writer: this.#parts.writer,
          commit: id,
          committedAtMs: context.runtime.clock.now(),
          entries: [...earlier, ...entries],
        },
        commits: [...commits, { id, pages }],
      }
      try {
        await history.commit(info.table, table.version, next)
      } catch (error) {
        if (!isKind(error, 'conflict', 'VERSION')) throw error
        await context.checkFence()
        continue
      }
      this.#replaced.push({ dueMs: context.runtime.clock.now() + KEPT_MS, table })
      await this.#load()
      return { snapshotId: this.snapshotId(), rows, frontier: this.frontier() }
    }
  }

  async #gathered(
    table: MemoryTable,
    upTo: readonly bigint[],
    signal: AbortSignal | undefined,
  ): Promise<{ readonly pages: MemoryPage[]; readonly entries: MemoryLedgerEntry[]; readonly rows: number }> {
    const { info, context } = this.#parts
    const { incarnation } = info
    const pages: MemoryPage[] = []
    const entries: MemoryLedgerEntry[] = []
    let rows = 0
    for (const entry of presentEntries(this.#parts, table)) {
      const { partition, frontier: from } = entry
      const to = least(upTo[partition]!, context.hot.committedOffsets()[partition]!)
      if (to <= from) {
        entries.push(entry)
        continue
      }
      const runs: BatchRun[] = []
      for await (const run of context.hot.read({ partition, from, to, ...callOf(signal) })) {
        const range = { partition, from: most(from, run.baseOffset), to: least(to, run.nextOffset) }
        // The log's own memory is lent for the moment.
        if (range.from < range.to) runs.push({ ...cutRun(run, range), batches: run.batches.slice() })
      }
      const moved = rowsIn(runs, context.recordsOf)
      const aborted = abortedIn(runs, context.recordsOf)
      const name = `${info.table}/${table.marker.commit + 1n}-${partition}`
      pages.push({ name, incarnation, partition, from, to, runs })
      entries.push({
        ...entry,
        frontier: to,
        rows: entry.rows + moved,
        aborted: entry.aborted + aborted,
        skipped: entry.skipped + (to - from) - moved - aborted,
      })
      rows += Number(moved)
    }
    return { pages, entries, rows }
  }

  /** Runs of the range in order; those of pages that are missing as the log still has them. */
  async *#runsOf(table: MemoryTable, range: OffsetsOf, signal: AbortSignal | undefined): AsyncGenerator<BatchRun> {
    const { hot } = this.#parts.context
    for (const page of pagesOf(table, range.partition)) {
      if (page.to <= range.from || page.from >= range.to) continue
      if (this.#isThere(page)) {
        yield* page.runs
        continue
      }
      const from = most(page.from, range.from)
      const held = { partition: range.partition, from, to: least(page.to, range.to) }
      if (hot.releasedOffsets()[range.partition]! > from) throw vanished(page)
      yield* spanned(hot.read({ ...held, ...callOf(signal) }), held)
    }
  }

  /** Everything there is at the first row, each record once. */
  async *#cut(signal: AbortSignal | undefined): AsyncGenerator<ScannedRun> {
    this.#check(signal)
    const { context, info } = this.#parts
    const pin = context.hot.pin(this.frontier())
    try {
      const table = await this.#load()
      const entries = presentEntries(this.#parts, table)
      const ends = [...context.hot.committedOffsets()]
      for (const { partition, frontier } of entries) {
        for (const page of pagesOf(table, partition)) {
          const range = { partition, from: page.from, to: page.to }
          for await (const run of this.#runsOf(table, range, signal)) yield { incarnation: page.incarnation, run }
        }
        const range = { partition, from: frontier, to: ends[partition]! }
        for await (const run of spanned(context.hot.read({ ...range, ...callOf(signal) }), range))
          yield { incarnation: info.incarnation, run }
      }
    } finally {
      pin.release()
    }
  }
}

const callOf = (signal: AbortSignal | undefined): CallOptions => (signal === undefined ? {} : { signal })

const vanished = ({ name }: MemoryPage): Error =>
  notFound('FILE_VANISHED', `${name} is missing, and the log has let go of what was in it.`, {
    context: { file: name },
  })
