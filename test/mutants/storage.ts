import type { Mutant } from './mutants.ts'

/** Planted bugs of `storage`. */
export const storageMutants: readonly Mutant[] = [
  {
    name: 'probe no attempt ids',
    file: 'packages/storage/src/probe.ts',
    original: `if (store.capabilities.attemptIds === true) await checkAttempts`,
    planted: `if (store.capabilities.attemptIds === null) await checkAttempts`,
    caughtBy: ['packages/storage/src/probe.test.ts'],
  },
  {
    name: 'swallow an aborted put',
    file: 'packages/storage/src/memory.ts',
    original: `      checkBody(key, bytes)
      throwIfAborted(options?.signal)
      // A constructor`,
    planted: `      checkBody(key, bytes)
      if (options?.signal?.aborted) return { etag: '' }
      // A constructor`,
    caughtBy: ['packages/storage/src/conformance.test.ts'],
  },
  {
    name: 'leave the deletes of a folder unsynced',
    file: 'packages/storage/src/delete-files.ts',
    original: `    await steps.removed(folder)`,
    planted: `    await Promise.resolve(folder)`,
    caughtBy: ['packages/storage/src/conformance.test.ts', 'packages/storage/src/file-system-many.test.ts'],
  },
  {
    name: 'take a refusal of unknown outcome for dropped metadata',
    file: 'packages/storage/src/probe.ts',
    original: `if (!hasOutcome(error, 'unknown')) throw lie('ATTEMPT_IDS_DROPPED', what)`,
    planted: `throw lie('ATTEMPT_IDS_DROPPED', what)`,
    caughtBy: ['packages/storage/src/probe.test.ts'],
  },
  {
    name: 'take a missing permission for a lie of the store',
    file: 'packages/storage/src/probe.ts',
    original: `if (isKind(error, 'unavailable') || isKind(error, 'aborted')) throw error`,
    planted: `if (isKind(error, 'aborted')) throw error`,
    caughtBy: ['packages/storage/src/probe.test.ts'],
  },
  {
    name: 'open a bucket that lists as a tree',
    file: 'packages/storage/src/probe-reads.ts',
    original: `const ofTree = ['tree-x', 'tree/x']`,
    planted: `const ofTree = ['tree-x', 'tree-y']`,
    caughtBy: ['packages/storage/src/probe.test.ts'],
  },
  {
    name: 'send a lost create again where nobody knows attempts',
    file: 'packages/storage/src/layers/retry.ts',
    original: `mayRepeat: (error) => !isConditional || isNamed || !hasOutcome(error, 'unknown'),`,
    planted: `mayRepeat: () => true,`,
    caughtBy: ['packages/storage/src/layers/retry-writes.test.ts'],
  },
  {
    name: 'make an attempt id for each try',
    file: 'packages/storage/src/layers/retry.ts',
    original: `        store.put(key, bytes, { ...same, ...withSignal(signal) }),`,
    planted: `        store.put(key, bytes, { ...same, ...withSignal(signal), attemptId: random.uuid() }),`,
    caughtBy: ['packages/storage/src/layers/retry-writes.test.ts'],
  },
  {
    name: 'call a refusal definite although a try was unknown',
    file: 'packages/storage/src/layers/retry.ts',
    original: `if (call.isRead !== true && hasOutcome(error, 'unknown')) isUnknown = true`,
    planted: `if (call.isRead === true && hasOutcome(error, 'unknown')) isUnknown = true`,
    caughtBy: ['packages/storage/src/layers/retry-writes.test.ts'],
  },
  {
    name: 'say of a key of many that its delete was rejected after a try that was unknown',
    file: 'packages/storage/src/layers/retry.ts',
    original: `if (hasOutcome(failure.error, 'unknown')) unsure.add(failure.key)`,
    planted: ``,
    caughtBy: ['packages/storage/src/layers/retry-writes.test.ts'],
  },
  {
    name: 'take a version for that of blocks which came in meanwhile',
    file: 'packages/storage/src/layers/block-index.ts',
    original: `while (object.info !== undefined && !isSameVersion(object.info, info)) await this.#clear(object)
    object.info ??= info`,
    planted: `if (object.info !== undefined && !isSameVersion(object.info, info)) await this.#clear(object)
    object.info = info`,
    caughtBy: ['packages/storage/src/layers/cache.test.ts'],
  },
  {
    name: 'measure a read by its ranges, not by the blocks that it takes',
    file: 'packages/storage/src/layers/cached-reads.ts',
    original: `if (blocks.reduce((sum, block) => sum + this.#lengthOf(block, size), 0) > this.#maxReadBytes) return 'pass'`,
    planted: ``,
    caughtBy: ['packages/storage/src/layers/cache.test.ts'],
  },
  {
    name: 'lose sight of an object while something of it is fetched',
    file: 'packages/storage/src/layers/cached-reads.ts',
    original: `new SharedWork((signal) => this.#index.holding(object, () => work(signal)))`,
    planted: `new SharedWork((signal) => work(signal))`,
    caughtBy: ['packages/storage/src/layers/block-folder.test.ts'],
  },
  {
    name: 'retry without a budget',
    file: 'packages/storage/src/layers/retry.ts',
    original: ` || !budget.take()) throw`,
    planted: `) throw`,
    caughtBy: ['packages/storage/src/layers/retry.test.ts'],
  },
  {
    name: 'come back earlier than the service asks',
    file: 'packages/storage/src/layers/retry.ts',
    original: `const waitMs = hintOf(error) + chance()`,
    planted: `const waitMs = chance()`,
    caughtBy: ['packages/storage/src/layers/retry.test.ts'],
  },
  {
    name: 'send the rest of a generator as a stream',
    file: 'packages/storage/src/layers/retry.ts',
    original: `return this.#isArray || !this.#isBegun`,
    planted: `return true`,
    caughtBy: ['packages/storage/src/layers/retry-writes.test.ts'],
  },
  {
    name: 'go on behind the last key of a list without order',
    file: 'packages/storage/src/layers/retry.ts',
    original: `const isOrdered = store.listOrder === 'bytes'`,
    planted: `const isOrdered = true`,
    caughtBy: ['packages/storage/src/layers/retry.test.ts'],
  },
  {
    name: 'try again with credentials that were refused',
    file: 'packages/storage/src/layers/retry.ts',
    original: ` || error.code === 'CREDENTIALS'`,
    planted: ``,
    caughtBy: ['packages/storage/src/layers/retry.test.ts'],
  },
  {
    name: 'let a small call overtake a large one',
    file: 'packages/storage/src/layers/gate.ts',
    original: `if (this.#queue.length > 0 || !this.#fits(bytes))`,
    planted: `if (!this.#fits(bytes))`,
    caughtBy: ['packages/storage/src/layers/limit.test.ts'],
  },
  {
    name: 'hold up those behind a wait that was aborted',
    file: 'packages/storage/src/layers/gate.ts',
    original: `        // Who came later may be smaller.
        this.#admit()
`,
    planted: ``,
    caughtBy: ['packages/storage/src/layers/limit.test.ts'],
  },
  {
    name: 'keep a place of the limit for a list that is looked at',
    file: 'packages/storage/src/layers/limit.ts',
    original: `const { infos, failure } = await within(calls, 0, withSignal(signal), page)`,
    planted: `await calls.enter(0, signal)
          const { infos, failure } = await page()`,
    caughtBy: ['packages/storage/src/layers/limit.test.ts'],
  },
  {
    name: 'let the slower of two requests go on',
    file: 'packages/storage/src/layers/hedge.ts',
    original: `for (const other of underWay) other.abort()`,
    planted: ``,
    caughtBy: ['packages/storage/src/layers/hedge.test.ts'],
  },
  {
    name: 'ask twice without a budget',
    file: 'packages/storage/src/layers/hedge.ts',
    original: `if (!budget.take()) return false`,
    planted: ``,
    caughtBy: ['packages/storage/src/layers/hedge.test.ts'],
  },
  {
    name: 'take the failure of one of two requests for the answer',
    file: 'packages/storage/src/layers/hedge.ts',
    original: `if (underWay.size > 0 && isKind(error, 'unavailable')) return`,
    planted: ``,
    caughtBy: ['packages/storage/src/layers/hedge.test.ts'],
  },
  {
    name: 'serve what is held without a look at what is there',
    file: 'packages/storage/src/layers/cached-reads.ts',
    original: `if (own < 0) {`,
    planted: `if (own < -1) {`,
    caughtBy: ['packages/storage/src/layers/cache.test.ts'],
  },
  {
    name: 'mix held blocks with those of another version',
    file: 'packages/storage/src/layers/cached-reads.ts',
    original: `(found.size > 0 && !isSameVersion(known!, version))`,
    planted: `false`,
    caughtBy: ['packages/storage/src/layers/cache.test.ts'],
  },
  {
    name: 'share the failure of a request with who joined it',
    file: 'packages/storage/src/layers/cached-reads.ts',
    original: `if (!isOwn && signal?.aborted !== true) isOther = true`,
    planted: ``,
    caughtBy: ['packages/storage/src/layers/cache.test.ts'],
  },
  {
    name: 'bring in what was read while the key was written',
    file: 'packages/storage/src/layers/block-index.ts',
    original: `const isWanted = !object.isDropped && `,
    planted: `const isWanted = `,
    caughtBy: ['packages/storage/src/layers/block-folder.test.ts'],
  },
  {
    name: 'hold more than there is room for',
    file: 'packages/storage/src/layers/block-index.ts',
    original: `while (this.counts.heldBytes + bytes > this.#maxBytes)`,
    planted: `while (this.counts.heldBytes > this.#maxBytes)`,
    caughtBy: ['packages/storage/src/layers/cache.test.ts'],
  },
  {
    name: 'believe a cached file without its checksum',
    file: 'packages/storage/src/layers/block-folder.ts',
    original: ` && view.getUint32(4, true) === checksum(file.subarray(8))`,
    planted: ``,
    caughtBy: ['packages/storage/src/layers/block-folder.test.ts'],
  },
  {
    name: 'keep a written key in the folder of the cache',
    file: 'packages/storage/src/layers/cache.ts',
    original: `    await waitFor(loaded(), given?.signal)
    await drop()
    try {`,
    planted: `    await waitFor(loaded(), given?.signal)
    try {`,
    caughtBy: ['packages/storage/src/layers/block-folder.test.ts'],
  },
  {
    name: 'charge a stream as one request',
    file: 'packages/storage/src/layers/meter.ts',
    original: `if (now > before) count('putStream', 'put', now - before)`,
    planted: ``,
    caughtBy: ['packages/storage/src/layers/meter.test.ts'],
  },
  {
    name: 'let a write through to a store that is read only',
    file: 'packages/storage/src/layers/read-only.ts',
    original: `delete: (key) => refuse('delete', key),`,
    planted: `delete: (key, options) => store.delete(key, options),`,
    caughtBy: ['packages/storage/src/layers/read-only.test.ts'],
  },
  {
    name: 'begin a hedged read with a signal that is none',
    file: 'packages/storage/src/layers/checked-calls.ts',
    original: `checkOptions(\`\${name}.get\`, given, objectStoreOptions.get)`,
    planted: ``,
    caughtBy: ['packages/storage/src/layers/checked-calls.test.ts'],
  },
]
