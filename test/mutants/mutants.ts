/** A planted bug: a small change of one source file, and the tests that must notice it. */
export interface Mutant {
  readonly name: string
  readonly file: string
  /** Stands exactly once in the file. */
  readonly original: string
  readonly planted: string
  readonly caughtBy: readonly string[]
}

const fences = `      await active.file.datasync()
      await this.checkFence()
`

export const mutants: readonly Mutant[] = [
  {
    name: 'trust the property',
    file: 'packages/lake/src/lineage.ts',
    original: `if (chain.kind === 'broken') return chain`,
    planted: `if (chain.kind === 'broken') return { kind: 'intact', marker, foreign: [] }`,
    caughtBy: ['packages/lake/src/lineage-tables.test.ts'],
  },
  {
    name: 'ack before fdatasync',
    file: 'packages/log/src/wal/wal-writer.ts',
    original: fences,
    planted: `      await this.checkFence()\n`,
    caughtBy: ['test/log/crash-points.test.ts'],
  },
  {
    name: 'no fence check',
    file: 'packages/log/src/wal/wal-writer.ts',
    original: fences,
    planted: `      await active.file.datasync()\n`,
    caughtBy: ['test/log/fence.test.ts'],
  },
  {
    name: 'no predecessor check',
    file: 'packages/catalog/src/store-version.ts',
    original: `  if (request.predecessor !== undefined) await checkPredecessor(folder, request.predecessor, version)\n`,
    planted: ``,
    caughtBy: ['packages/catalog/src/object-store-catalog.test.ts', 'packages/catalog/src/conformance.test.ts'],
  },
  {
    name: 'frontier off by one',
    file: 'packages/lake/src/ledger.ts',
    original: `    frontier: gain.frontier,\n    lastRow: gain.lastRow ?? entry.lastRow,`,
    planted: `    frontier: gain.frontier + 1n,\n    lastRow: gain.lastRow ?? entry.lastRow,`,
    caughtBy: ['packages/lake/src/cold-topic.test.ts'],
  },
  {
    name: 'drop null keys',
    file: 'packages/format/src/batch/record-body.ts',
    original: `  if (bytes === null) sink.byte(1)\n  else sink.bytes(bytes)\n}\n\nconst scratch`,
    planted: `  if (bytes === null) sink.byte(0)\n  else sink.bytes(bytes)\n}\n\nconst scratch`,
    caughtBy: ['packages/format/src/batch/record-batch.test.ts'],
  },
  {
    name: 'lose header order',
    file: 'packages/format/src/batch/record-body.ts',
    original: `  for (const [name, content] of headers) {\n    if (!name.isWellFormed())`,
    planted: `  for (const [name, content] of headers.toSorted()) {\n    if (!name.isWellFormed())`,
    caughtBy: ['packages/format/src/batch/record-batch.test.ts'],
  },
  {
    name: 'reuse a recycled frame',
    file: 'packages/log/src/wal/frame.ts',
    original: `if (view.getBigUint64(40) !== generation || view.getBigUint64(32) !== epoch) return false`,
    planted: `if (view.getBigUint64(32) !== epoch) return false`,
    caughtBy: ['test/log/crash-points.test.ts'],
  },
  {
    name: 'hint before commit',
    file: 'packages/catalog/src/object-store-catalog.ts',
    original: `    throwIfAborted(signal)\n    const { version, etag } = await storeVersion(`,
    planted: `    await this.#advanceHint(identifier, folder, current.found.version + 1)\n    const { version, etag } = await storeVersion(`,
    caughtBy: ['packages/catalog/src/object-store-catalog.test.ts', 'packages/catalog/src/conformance.test.ts'],
  },
  {
    name: 'swallow an aborted put',
    file: 'packages/storage/src/memory.ts',
    original: `    async put(key, bytes, { mode = 'overwrite', signal } = {}) {`,
    planted: `    async put(key, bytes, { mode = 'overwrite', signal } = {}) {\n      if (signal?.aborted) return { etag: '' }`,
    caughtBy: ['packages/storage/src/conformance.test.ts'],
  },
  {
    name: 'checksum over the value alone',
    file: 'packages/format/src/batch/record-body.ts',
    original: `crc32cOf(cursor.bytes, cursor.bodyStart, cursor.bodyEnd) | 0`,
    planted: `crc32cOf(cursor.bytes, cursor.valueStart, cursor.valueEnd) | 0`,
    caughtBy: ['packages/format/src/batch/record-batch.test.ts'],
  },
  {
    name: 'release before read-back',
    file: 'packages/log/src/topic-tiering.ts',
    original: `const offsets = [frontier[index]!, confirmed[index] ?? 0n, partition.highWatermark]`,
    planted: `const offsets = [partition.highWatermark]`,
    caughtBy: ['test/doors/cold-tier.test.ts'],
  },
]
