import { isKind } from '@moulin/core'
import type { CallOptions } from '@moulin/core'
import type { ColdReadParts } from '../replay/cold-read.ts'
import { asksForLook } from '../look/missing-files.ts'
import type { TableState } from '../table/table-state.ts'

type SparedFilesParts = Pick<ColdReadParts, 'look' | 'places' | 'table'>

/**
 * Files of a scan's snapshot that turn out to be missing while it goes on, and whose rows the write-ahead tier still has: they come from
 * there in the end, as if it had been known before, so that nothing that was given need be taken back.
 */
export class SparedFiles {
  readonly #parts: SparedFilesParts
  readonly #call: CallOptions
  #state: TableState

  constructor(parts: SparedFilesParts, state: TableState, call: CallOptions) {
    this.#parts = parts
    this.#state = state
    this.#call = call
  }

  /** The scan's snapshot, with what is known to be missing of it and is not given. */
  get state(): TableState {
    return this.#state
  }

  /**
   * Before the first row. Where files of others may share places with a missing one, it must be known by then: which of two rows is
   * shown depends on whether the other is there. Of files that are alone it is enough to know when they are opened.
   */
  async prepare(): Promise<void> {
    const { look, places, table } = this.#parts
    if (await places.losersOf(this.#state).isPure(this.#call)) return
    await unlessItFails(look.once(this.#state, this.#call))
    if (this.#state.missing !== table.missing) this.#state = { ...this.#state, missing: table.missing }
  }

  /** Of a file that has given no row yet: whether the scan can go on without it. */
  async spare(path: string, error: unknown): Promise<boolean> {
    const { look, places, table } = this.#parts
    if (!asksForLook(error)) return false
    if (!table.missing.has(path)) await unlessItFails(look.again(this.#call))
    const reason = table.missing.get(path)
    if (reason === undefined || !(await places.losersOf(this.#state).isAlone(path, this.#call))) return false
    // Only this one: others that the look found may have given their rows before they went.
    this.#state = { ...this.#state, missing: new Map([...this.#state.missing, [path, reason]]) }
    return true
  }
}

// What the look would have said is not known then: the scan is no worse off than without it.
export async function unlessItFails(look: Promise<unknown>): Promise<void> {
  try {
    await look
  } catch (failure) {
    if (isKind(failure, 'aborted')) throw failure
  }
}
