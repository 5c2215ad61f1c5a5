import type { Mutant } from './mutants.ts'

/** Planted bugs of `log` in feeds. */
export const logFeedMutants: readonly Mutant[] = [
  {
    name: "hand over a feed's batches in another order",
    file: 'packages/log/src/feed/feed-run.ts',
    original: `this.#built.shift()`,
    planted: `this.#built.pop()`,
    caughtBy: ['packages/log/src/feed/feed-run.test.ts', 'test/log/feed.test.ts'],
  },
  {
    name: 'never give back what the threads of a feed may hold',
    file: 'packages/log/src/feed/feed-thread.ts',
    original: `if (!this.#isOver) this.#post({ kind: 'durable', bytes })`,
    planted: `void bytes`,
    caughtBy: ['packages/log/src/feed/feed-run.test.ts'],
  },
  {
    name: 'leave the threads of an aborted feed running',
    file: 'packages/log/src/feed/feed-run.ts',
    original: `    this.#built = []\n    this.#stop()\n`,
    planted: `    this.#built = []\n`,
    caughtBy: ['test/log/feed-ends.test.ts'],
  },
  {
    name: 'take what other threads hand over after one has failed',
    file: 'packages/log/src/feed/feed-run.ts',
    original: `if (this.#failure !== undefined || this.#isLeft) return\n        const`,
    planted: `if (this.#isLeft) return\n        const`,
    caughtBy: ['packages/log/src/feed/feed-run.test.ts'],
  },
  {
    name: "count the records of a feed's batch that failed",
    file: 'packages/log/src/feed/feed-batch.ts',
    original: `fail: (error) => observer.failed(error),`,
    planted: `fail: (error) => {\n      observer.acked({ records: recordCount, partition, lastOffset: 0n, ms: 0 })\n      observer.failed(error)\n    },`,
    caughtBy: ['test/log/feed-ends.test.ts'],
  },
  {
    name: 'append a batch again after an error that was lived through',
    file: 'packages/log/src/produce/log-producer.ts',
    original: `    } catch (error) {\n      this.#failed(batch, error as Error)`,
    planted: `    } catch (error) {\n      if (isLivedThrough(error)) this.#leave({ ...batch, partition, recordCount, finish: () => batch.finish(), settle() {}, fail() {} })\n      this.#failed(batch, error as Error)`,
    caughtBy: ['test/log/feed-ends.test.ts'],
  },
  {
    name: 'send what a feed has collected when it was told to stop',
    file: 'packages/log/src/feed/served-feed.ts',
    original: `    this.#collector?.dropAll()\n`,
    planted: `    if (!this.#stopping.signal.aborted) this.#collector?.leaveAll()\n`,
    caughtBy: ['packages/log/src/feed/served-feed.test.ts'],
  },
  {
    name: 'forget the records that a feed gave before its error',
    file: 'packages/log/src/feed/served-feed.ts',
    original: `    this.#hasFailed = true\n    this.#collector?.leaveAll()\n`,
    planted: `    this.#hasFailed = true\n`,
    caughtBy: ['test/log/feed-ends.test.ts'],
  },
  {
    name: 'start a second feed beside the first',
    file: 'packages/log/src/produce/log-producer.ts',
    original: `if (this.#hasFeed) {`,
    planted: `if (!this.#hasFeed && this.#feeding.size > 0) {`,
    caughtBy: ['test/log/feed.test.ts'],
  },
  {
    name: 'close a producer over threads that still run',
    file: 'packages/log/src/produce/log-producer.ts',
    original: `    await Promise.all(this.#feeding)\n`,
    planted: ``,
    caughtBy: ['test/log/feed-ends.test.ts'],
  },
  {
    name: 'let a thread hold what it likes',
    file: 'packages/log/src/feed/served-feed.ts',
    original: `return (record) => (this.#gate.isOpen ? take(record) : later(record))`,
    planted: `return (record) => (this.#gate.isOpen || record !== undefined ? take(record) : later(record))`,
    caughtBy: ['packages/log/src/feed/served-feed.test.ts'],
  },
  {
    name: 'starve what a thread is told by a feed that never waits',
    file: 'packages/log/src/feed/served-feed.ts',
    original: `return hasLeft || this.#turns.isDue() ? this.#turns.take() : undefined`,
    planted: `return void hasLeft`,
    caughtBy: ['packages/log/src/feed/served-feed.test.ts'],
  },
]
