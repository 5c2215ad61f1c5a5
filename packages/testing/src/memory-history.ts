import { conflict, exists, notFound } from '@moulin/core'
import type { BatchRun, Position } from '@moulin/core'

/** What one commit added to one partition. */
export interface MemoryPage {
  readonly name: string
  readonly incarnation: number
  readonly partition: number
  readonly from: bigint
  readonly to: bigint
  readonly runs: readonly BatchRun[]
}

/** What one incarnation of one partition has given the history. */
export interface MemoryLedgerEntry {
  readonly incarnation: number
  readonly partition: number
  readonly start: bigint
  readonly frontier: bigint
  readonly rows: bigint
  /** Records of aborted transactions. */
  readonly aborted: bigint
  readonly skipped: bigint
}

/** Who wrote last, and what all writers have given. */
export interface MemoryMarker {
  readonly logId: string
  readonly topicId: string
  readonly incarnation: number
  /** The tier that wrote it: what its own commits say, its log knew. Epochs do not tell: an older copy of a log takes one again. */
  readonly writer: object
  /** Of the last commit; 0 while there is none. */
  readonly commit: bigint
  readonly committedAtMs: number | undefined
  readonly entries: readonly MemoryLedgerEntry[]
}

/** One topic's history at one moment. Never changed: a commit makes another. */
export interface MemoryTable {
  readonly version: number
  readonly marker: MemoryMarker
  readonly commits: readonly { readonly id: bigint; readonly pages: readonly MemoryPage[] }[]
}

/** A call that a history is about to take, or has taken. */
export interface MemoryHistoryCall {
  readonly op: 'load' | 'create' | 'commit'
  /** `namespace.table`. */
  readonly table: string
}

/** Run around each call. What one throws, the caller gets: before the effect, or, from `after`, with the answer lost. */
export interface MemoryHistoryHooks {
  before?: (call: MemoryHistoryCall) => void | Promise<void>
  after?: (call: MemoryHistoryCall) => void | Promise<void>
}

/** What outlives the processes that use a `memoryTier`: the place of a table and of its catalog. */
export class MemoryHistory {
  /** To be set, changed and cleared by a test at any time. */
  readonly hooks: MemoryHistoryHooks = {}
  readonly #tables = new Map<string, MemoryTable>()
  readonly #hidden = new Set<string>()

  async load(table: string): Promise<MemoryTable | undefined> {
    return this.#run({ op: 'load', table }, () => this.#tables.get(table))
  }

  /** @throws `exists`. */
  async create(table: string, marker: MemoryMarker): Promise<MemoryTable> {
    return this.#run({ op: 'create', table }, () => {
      if (this.#tables.has(table)) throw exists('TABLE_EXISTS', `There is a history ${table} already.`)
      return this.#set(table, { version: 1, marker, commits: [] })
    })
  }

  /** The table alone, as it is now, where nobody else sees what becomes of it. */
  async copy(table: string): Promise<MemoryHistory> {
    const copy = new MemoryHistory()
    const present = await this.load(table)
    if (present !== undefined) copy.#set(table, present)
    for (const name of this.#hidden) copy.#hidden.add(name)
    return copy
  }

  /** Puts what comes next in the place of this version. @throws `conflict` when another one is there. */
  async commit(table: string, version: number, next: Omit<MemoryTable, 'version'>): Promise<MemoryTable> {
    return this.#run({ op: 'commit', table }, () => {
      const present = this.#tables.get(table)
      if (present?.version !== version)
        throw conflict('VERSION', `${table} is at version ${present?.version}, not ${version}.`)
      return this.#set(table, { ...next, version: version + 1 })
    })
  }

  isThere({ name }: MemoryPage): boolean {
    return !this.#hidden.has(name)
  }

  /** Takes the pages that have a place away, as a deleted file is. @returns their names. */
  hide(table: string, { partition, offset }: Position): string[] {
    const pages = this.#tables.get(table)?.commits.flatMap((commit) => commit.pages) ?? []
    const found = pages.filter((page) => page.partition === partition && page.from <= offset && offset < page.to)
    if (found.length === 0) throw notFound('PLACE', `${table} has no page with ${partition}:${offset}.`)
    for (const { name } of found) this.#hidden.add(name)
    return found.map(({ name }) => name)
  }

  /** Brings pages back. */
  show(names: readonly string[]): void {
    for (const name of names) this.#hidden.delete(name)
  }

  /** Takes the last commit away; what the marker says of it stays, as a table's properties survive a rollback. */
  rollBack(table: string): void {
    const { version, marker, commits } = this.#tables.get(table)!
    this.#set(table, { version: version - 1, marker, commits: commits.slice(0, -1) })
  }

  #set(table: string, next: MemoryTable): MemoryTable {
    this.#tables.set(table, next)
    return next
  }

  async #run<T>(call: MemoryHistoryCall, effect: () => T): Promise<T> {
    await this.hooks.before?.(call)
    const result = effect()
    await this.hooks.after?.(call)
    return result
  }
}
