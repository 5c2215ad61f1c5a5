/** What is kept of the incarnations of topics. Looking one up makes nothing: it is done for each append. */
export class LifeMap<T> {
  readonly #topics = new Map<string, Map<number, T>>()

  get(topicId: string, incarnation: number): T | undefined {
    return this.#topics.get(topicId)?.get(incarnation)
  }

  set(topicId: string, incarnation: number, kept: T): void {
    const lives = this.#topics.get(topicId)
    if (lives === undefined) this.#topics.set(topicId, new Map([[incarnation, kept]]))
    else lives.set(incarnation, kept)
  }

  /** All of them, topic by topic. */
  *values(): Generator<T> {
    for (const lives of this.#topics.values()) yield* lives.values()
  }

  /** Those of one topic. */
  ofTopic(topicId: string): Iterable<T> {
    return this.#topics.get(topicId)?.values() ?? []
  }
}
