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
    name: 'a marker before its ledger',
    file: 'packages/lake/src/committer.ts',
    original: `      await table.markers.put({ text, ...objects })\n`,
    planted: ``,
    caughtBy: ['packages/lake/src/marker-store.test.ts'],
  },
  {
    name: 'take an expired commit for lost',
    file: 'packages/lake/src/commit-attempt.ts',
    original: `return (await hasTrace(table)) ? table : 'lost'`,
    planted: `return (await hasTrace(table)) && false ? table : 'lost'`,
    caughtBy: ['packages/lake/src/unheard-commit.test.ts'],
  },
  {
    name: 'believe a footer alone',
    file: 'packages/lake/src/data-files.ts',
    original: ` && file.name.includes(\`/data/\${commit}-\`)`,
    planted: ``,
    caughtBy: ['packages/lake/src/row-checksum.test.ts'],
  },
  {
    name: 'field ids by name',
    file: 'packages/lake/src/table-layout.ts',
    original: `present.get(idAt(ids, [field.name], field.id))`,
    planted: `schema.fields.find(({ name }) => name === field.name)`,
    caughtBy: ['packages/lake/src/field-ids.test.ts'],
  },
  {
    name: 'collect ledgers by age alone',
    file: 'packages/lake/src/marker-store.ts',
    original: `if (kept.has(name)) room--`,
    planted: `if (kept.has(name + name)) room--`,
    caughtBy: ['packages/lake/src/marker-store.test.ts'],
  },
  {
    name: 'trust the prefixes of a staged record',
    file: 'packages/lake/src/staged-commit.ts',
    original: `typeof prefix === 'string' && isOfCommit(prefix, commit)`,
    planted: `typeof prefix === 'string'`,
    caughtBy: ['packages/lake/src/staged-commit.test.ts'],
  },
  {
    name: 'a later marker is a broken one',
    file: 'packages/lake/src/marker-store.ts',
    original: `if (!isMoulinError(error) || !(error.kind === 'corrupt' || error.kind === 'exhausted')) throw error`,
    planted: `if (!isMoulinError(error)) throw error`,
    caughtBy: ['packages/lake/src/marker-store.test.ts'],
  },
  {
    name: 'trust the property',
    file: 'packages/lake/src/lineage.ts',
    original: `if (chain.kind === 'broken') return chain`,
    planted: `if (chain.kind === 'broken') return { kind: 'intact', marker, foreign: [] }`,
    caughtBy: ['packages/lake/src/lineage-tables.test.ts'],
  },
  {
    name: 'take any sequence number for evidence',
    file: 'packages/lake/src/lineage-evidence.ts',
    original: `if (await hasRow(parts, question, task, isOurs(marker.ledger), call)) {`,
    planted: `if (task.sequenceNumber >= sequence) {`,
    caughtBy: ['packages/lake/src/lineage-evidence.test.ts'],
  },
  {
    name: 'judge an older log by its present end',
    file: 'packages/lake/src/topic-table.ts',
    original: `return context.hot.recoveredOffsets()`,
    planted: `return context.hot.committedOffsets()`,
    caughtBy: ['packages/lake/src/lineage-tables.test.ts'],
  },
  {
    name: 'ack before the table has been seen',
    file: 'packages/log/src/topic-state.ts',
    original: `    await this.#firstLook\n`,
    planted: ``,
    caughtBy: ['test/log/older-than-table.test.ts'],
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
    name: 'empty an epoch of its opener',
    file: 'packages/log/src/wal/take-over.ts',
    original: `if (kind !== 'file' || name === OPENER || kept`,
    planted: `if (kind !== 'file' || kept`,
    caughtBy: ['test/log/epochs.test.ts'],
  },
  {
    name: 'name an epoch before its opener is in it',
    file: 'packages/log/src/wal/epoch-opener.ts',
    original: `    await files.syncDirectory(prepared)\n`,
    planted: ``,
    caughtBy: ['test/log/epochs.test.ts'],
  },
  {
    name: 'ignore a lost claim',
    file: 'packages/log/src/wal/epoch-opener.ts',
    original: `if (await claimEpoch(epoch, opener)) return epoch`,
    planted: `await claimEpoch(epoch, opener)\n      return epoch`,
    caughtBy: ['test/log/epochs.test.ts'],
  },
  {
    name: 'show beside a living opener',
    file: 'packages/log/src/wal/epoch-opener.ts',
    original: `return (await process.startTimeOf(owner.pid)) !== owner.startTime`,
    planted: `return true`,
    caughtBy: ['test/log/beside-an-opener.test.ts'],
  },
  {
    name: 'look for openers before the sync',
    file: 'packages/log/src/wal/wal-follower.ts',
    original: `      const { found, isBehind } = await this.#newSections()
      // What was recycled before we came is released: the checkpoint says up to where.
      if (isBehind) await this.#options.beforeRecovery()
      if (found.length === 0) return
      if (await this.#isFinal(info)) {`,
    planted: `      const isFinal = await this.#isFinal(info)
      const { found, isBehind } = await this.#newSections()
      // What was recycled before we came is released: the checkpoint says up to where.
      if (isBehind) await this.#options.beforeRecovery()
      if (found.length === 0) return
      if (isFinal) {`,
    caughtBy: ['test/log/beside-an-opener.test.ts'],
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
    name: 'partition left out of the row checksum',
    file: 'packages/format/src/batch/record-place.ts',
    original: `crc32cOfInt64(incarnation, partition, 0)`,
    planted: `crc32cOfInt64(incarnation, 0, 0)`,
    caughtBy: ['packages/lake/src/row-checksum.test.ts'],
  },
  {
    name: 'deep audit believes what is in the rows',
    file: 'packages/lake/src/deep-check.ts',
    original: `if (decoder.matches(row, this.#sums[at]!)) continue`,
    planted: `if (decoder.crc(row) !== undefined) continue`,
    caughtBy: ['packages/lake/src/deep-check.test.ts'],
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
    original: `crc32cOf(cursor.bytes, cursor.bodyStart, cursor.bodyEnd, place) | 0`,
    planted: `crc32cOf(cursor.bytes, cursor.valueStart, cursor.valueEnd, place) | 0`,
    caughtBy: ['packages/format/src/batch/record-batch.test.ts'],
  },
  {
    name: 'release before read-back',
    file: 'packages/log/src/topic-tiering.ts',
    original: `const offsets = [frontier[index]!, confirmed[index] ?? 0n, partition.highWatermark]`,
    planted: `const offsets = [partition.highWatermark]`,
    caughtBy: ['test/doors/cold-tier.test.ts'],
  },
  {
    name: 'dictionary indexes a bit short',
    file: 'packages/format/src/parquet/encode/dictionary.ts',
    original: `return Math.max(1, 32 - Math.clz32(size - 1))`,
    planted: `return Math.max(1, 31 - Math.clz32(size - 1))`,
    caughtBy: ['test/parquet/properties.test.ts'],
  },
  {
    name: 'count a null too many',
    file: 'packages/format/src/parquet/encode/column-chunk.ts',
    original: `nullCount: slotEnd - slot - (valueEnd - value),`,
    planted: `nullCount: slotEnd - slot - (valueEnd - value) + 1,`,
    caughtBy: ['test/parquet/statistics.test.ts'],
  },
  {
    name: 'cut an upper bound without raising it',
    file: 'packages/format/src/parquet/encode/encoded-bound.ts',
    original: `    raised[last]!++\n`,
    planted: ``,
    caughtBy: ['test/parquet/statistics.test.ts'],
  },
  {
    name: 'pages begin a row later',
    file: 'packages/format/src/parquet/encode/index-writer.ts',
    original: `thrift.i64(3, page.firstRow)`,
    planted: `thrift.i64(3, page.firstRow === 0 ? 0 : page.firstRow + 1)`,
    caughtBy: ['test/parquet/statistics.test.ts'],
  },
  {
    name: 'an empty list is null',
    file: 'packages/format/src/parquet/encode/shred.ts',
    original: `nextMarks[at++] = row < 0 ? row : ~definition`,
    planted: `nextMarks[at++] = row < 0 ? row : ~Math.max(0, definition - 1)`,
    caughtBy: ['test/parquet/properties.test.ts'],
  },
  {
    name: 'lose what a difference has beyond 32 bits',
    file: 'packages/format/src/parquet/encode/delta-encoder.ts',
    original: `if (beyond === 0) writeNarrow(`,
    planted: `if (beyond >= 0) writeNarrow(`,
    caughtBy: ['test/parquet/properties.test.ts'],
  },
  {
    name: 'sign the page before the codec',
    file: 'packages/format/src/parquet/encode/page-writer.ts',
    original: `crc = crc32(part, crc)`,
    planted: `crc = crc32(part)`,
    caughtBy: ['test/parquet/properties.test.ts'],
  },
  {
    name: 'believe a page without its checksum',
    file: 'packages/format/src/parquet/decode/page-bytes.ts',
    original: `header.crc !== undefined && (crc32(body) | 0) !== header.crc`,
    planted: `header.crc === 0 && (crc32(body) | 0) !== header.crc`,
    caughtBy: ['test/parquet/fuzz.test.ts'],
  },
  {
    name: 'an empty list has an element',
    file: 'packages/format/src/parquet/decode/assemble.ts',
    original: `if (slot >= entryLevel) entries++`,
    planted: `if (slot >= level) entries++`,
    caughtBy: ['test/parquet/properties.test.ts'],
  },
  {
    name: 'lose the carry of a difference',
    file: 'packages/format/src/parquet/decode/delta-decoder.ts',
    original: `    high = (high + leastHigh + (sum >= 0x200000000 ? 2 : sum >= 0x100000000 ? 1 : 0)) | 0`,
    planted: `    high = (high + leastHigh + (sum >= 0x200000000 ? 1 : sum >= 0x100000000 ? 1 : 0)) | 0`,
    caughtBy: ['test/parquet/foreign.test.ts'],
  },
  {
    name: 'shift validity without what is carried over',
    file: 'packages/format/src/parquet/decode/levels.ts',
    original: `        bits[at]! |= byte << shift\n        bits[++at] = byte >> (8 - shift)`,
    planted: `        bits[at++]! |= byte << shift`,
    caughtBy: ['test/parquet/properties.test.ts'],
  },
  {
    name: 'leave out the page at the edge of the rows',
    file: 'packages/format/src/parquet/page-index.ts',
    original: `({ firstRow }) => firstRow >= wanted.end)`,
    planted: `({ firstRow }) => firstRow >= wanted.end - 1 && firstRow > wanted.start)`,
    caughtBy: ['test/parquet/properties.test.ts'],
  },
  {
    name: 'a bloom filter forgets what was in a block',
    file: 'packages/format/src/parquet/encode/bloom-filter.ts',
    original: `words[block + word]! |= 1 <<`,
    planted: `words[block + word]! = 1 <<`,
    caughtBy: ['test/parquet/statistics.test.ts'],
  },
  {
    name: 'a deleted topic lives',
    file: 'packages/log/src/topic-directory.ts',
    original: `if (topic?.state !== 'live') return undefined`,
    planted: `if (topic === undefined) return undefined`,
    caughtBy: ['test/log/newer-topic.test.ts'],
  },
  {
    name: 'recovered end missing',
    file: 'packages/log/src/hot-log.ts',
    original: `partition.recovered = partition.highWatermark`,
    planted: `partition.recovered = 0n`,
    caughtBy: ['test/log/recovered-end.test.ts'],
  },
  {
    name: 'drop the checkpoint entry of a newer topic',
    file: 'packages/log/src/topic-directory.ts',
    original: `if (!live.has(entry.id)) checkpoints.carry(entry)`,
    planted: `void entry`,
    caughtBy: ['test/log/newer-topic.test.ts'],
  },
  {
    name: 'an older version for a newer topic',
    file: 'packages/log/src/topic-store.ts',
    original: `if (!isMoulinError(error) || error.kind !== 'corrupt') throw error`,
    planted: `if (!isMoulinError(error)) throw error`,
    caughtBy: ['test/log/newer-topic.test.ts'],
  },
]
