/** Of those that the table had at some time: an answer of a catalog may be some commits old. */
const KEPT = 256

/**
 * Ids of the commits of one topic that this process has sent, or is about to send: what the table's marker says of them, the log
 * knew. Those that never happened are forgotten at once, so that no number of them displaces the one that the table has.
 */
export class OwnCommits {
  /** Oldest first. */
  readonly #ids = new Set<string>()

  /** Before it is sent. Forgets the oldest beyond the newest 256. */
  add(id: string): void {
    this.#ids.add(id)
    for (const oldest of this.#ids) {
      if (this.#ids.size <= KEPT) break
      this.#ids.delete(oldest)
    }
  }

  has(id: string): boolean {
    return this.#ids.has(id)
  }

  /** Of a commit that is known never to have happened. */
  delete(id: string): void {
    this.#ids.delete(id)
  }
}
