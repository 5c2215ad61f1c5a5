import { tableText, throwIfAborted, waitFor } from '@moulin/core'
import type { TableIdentifier } from '@moulin/core'

/**
 * Commits of one server wait for each other where they are about the same table: each would lose the race to the other, and begin anew.
 * Commits of others, the log's own among them, are raced with.
 */
export class Lines {
  readonly #last = new Map<string, Promise<void>>()

  /** @throws `aborted` when the signal fires first, at which work that waits does not begin; what the work throws. */
  take<T>(tables: readonly TableIdentifier[], work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const names = new Set(tables.map((table) => tableText(table)))
    // All places are taken at once, so that two transactions never wait for each other.
    const done = Promise.all([...names].flatMap((name) => this.#last.get(name) ?? [])).then(() => {
      throwIfAborted(signal)
      return work()
    })
    const end: Promise<void> = done.then(
      () => this.#leave(names, end),
      () => this.#leave(names, end),
    )
    for (const name of names) this.#last.set(name, end)
    return waitFor(done, signal)
  }

  #leave(names: ReadonlySet<string>, end: Promise<void>): void {
    for (const name of names) if (this.#last.get(name) === end) this.#last.delete(name)
  }
}
