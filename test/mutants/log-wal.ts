import type { Mutant } from './mutants.ts'

const stores = `      await active.store(this.#buffer.frames(taken, start, active), start, () => timing?.syncing())
      active.position = end
      timing?.synced()
`
const looks = `      await this.#fence.pass()
`

/** Planted bugs of `log`, its room `wal`. */
export const logWalMutants: readonly Mutant[] = [
  {
    name: 'ack before fdatasync',
    file: 'packages/log/src/wal/file/segment-file.ts',
    original: `      await this.file.datasync()\n`,
    planted: ``,
    caughtBy: ['test/log/crash-points.test.ts'],
  },
  {
    name: 'ack before the write has returned',
    file: 'packages/log/src/wal/file/wal-writer.ts',
    original: stores,
    planted: `      void active.store(this.#buffer.frames(taken, start, active), start).catch(() => undefined)
      active.position = end
`,
    caughtBy: ['test/log/crash-points.test.ts'],
  },
  {
    name: 'no fence check',
    file: 'packages/log/src/wal/file/wal-writer.ts',
    original: looks,
    planted: ``,
    caughtBy: ['test/log/fence.test.ts'],
  },
  {
    name: 'a fence looked at before the write',
    file: 'packages/log/src/wal/file/wal-writer.ts',
    original: stores + looks,
    planted: looks + stores,
    caughtBy: ['test/log/fence.test.ts'],
  },
  {
    name: 'a direct look on a network mount',
    file: 'packages/log/src/wal/file/fence-look.ts',
    original: `!this.#isLocal || `,
    planted: ``,
    caughtBy: ['packages/log/src/wal/file/fence-look.test.ts'],
  },
  {
    name: 'no rest after a slow look',
    file: 'packages/log/src/wal/file/fence-look.ts',
    original: ` || nowMs < this.#restsUntilMs`,
    planted: ``,
    caughtBy: ['packages/log/src/wal/file/fence-look.test.ts'],
  },
  {
    name: 'what is taken ahead left to the handle that syncs',
    file: 'packages/log/src/wal/file/segment-file.ts',
    original: `      await this.#plain.preallocate(size)
      await this.#plain.sync()
`,
    planted: `      await this.file.preallocate(size)
`,
    caughtBy: ['packages/log/src/wal/file/segment-file.test.ts'],
  },
  {
    name: 'go on after a synced write that failed',
    file: 'packages/log/src/wal/file/segment-file.ts',
    original: `by \`allocate\`.
      await this.file.writev(frames, position)`,
    planted: `by \`allocate\`.
      await this.#write(frames, position)`,
    caughtBy: ['test/log/full-disk.test.ts'],
  },
  {
    name: 'ignore what the other handle of a segment was told',
    file: 'packages/log/src/wal/file/segment-file.ts',
    original: `    // A synced write waits for its own pages, and is told itself what became of them: it need not wait for what is taken ahead.
    this.#check()
`,
    planted: ``,
    caughtBy: ['packages/log/src/wal/file/segment-file.test.ts'],
  },
  {
    name: 'leave a segment open whose second handle was refused',
    file: 'packages/log/src/wal/file/segment-file.ts',
    original: `  } catch (error) {
    await file.close()
    throw error
  }
}
`,
    planted: `  } catch (error) {
    throw error
  }
}
`,
    caughtBy: ['packages/log/src/wal/file/segment-file.test.ts'],
  },
  {
    name: 'a later frame taken for a torn tail',
    file: 'packages/log/src/wal/file/frame.ts',
    original: `  if (later !== undefined) return { status: 'unsupported', minimumReader: minimumReaderOf(view), reason: later }`,
    planted: `  if (later !== undefined) return { status: 'damaged', reason: later, sizeBytes: headerBytes }`,
    caughtBy: ['test/log/later-frame.test.ts'],
  },
  {
    name: 'cut a bad body that had been written whole',
    file: 'packages/log/src/wal/file/source-scan.ts',
    original: `  return wasWhole ? 'the whole frame had been written' : undefined`,
    planted: `  return undefined`,
    caughtBy: ['test/log/damage.test.ts'],
  },
  {
    name: 'empty an epoch of its opener',
    file: 'packages/log/src/wal/file/take-over.ts',
    original: `if (kind !== 'file' || name === OPENER || kept`,
    planted: `if (kind !== 'file' || kept`,
    caughtBy: ['test/log/epochs.test.ts'],
  },
  {
    name: 'name an epoch before its opener is in it',
    file: 'packages/log/src/wal/file/epoch-opener.ts',
    original: `    await files.syncDirectory(prepared)\n`,
    planted: ``,
    caughtBy: ['test/log/epochs.test.ts'],
  },
  {
    name: 'ignore a lost claim',
    file: 'packages/log/src/wal/file/epoch-opener.ts',
    original: `if (await claimEpoch(epoch, opener)) return epoch`,
    planted: `await claimEpoch(epoch, opener)\n      return epoch`,
    caughtBy: ['test/log/epochs.test.ts'],
  },
  {
    name: 'show beside a living opener',
    file: 'packages/log/src/wal/file/epoch-opener.ts',
    original: `return (await process.startTimeOf(owner.pid)) !== owner.startTime`,
    planted: `return true`,
    caughtBy: ['test/log/beside-an-opener.test.ts'],
  },
  {
    name: 'look for openers before the sync',
    file: 'packages/log/src/wal/file/wal-reader.ts',
    original: `      const { found, isBehind } = await this.#tail.since(info.epoch, this.#place)
      // What was recycled before we came is released, or was copied on: the checkpoint says up to where.
      if (isBehind) await this.#options.beforeRecovery()
      if (found.length === 0) return
      const placed = found.flatMap(({ place, frames }) => placedIn({ epoch: info.epoch, ...place }, frames))
      if (!this.#isPartial && (await this.#isFinal(info))) {`,
    planted: `      const isFinal = await this.#isFinal(info)
      const { found, isBehind } = await this.#tail.since(info.epoch, this.#place)
      // What was recycled before we came is released, or was copied on: the checkpoint says up to where.
      if (isBehind) await this.#options.beforeRecovery()
      if (found.length === 0) return
      const placed = found.flatMap(({ place, frames }) => placedIn({ epoch: info.epoch, ...place }, frames))
      if (!this.#isPartial && isFinal) {`,
    caughtBy: ['test/log/beside-an-opener.test.ts'],
  },
  {
    name: 'reuse a recycled frame',
    file: 'packages/log/src/wal/file/frame.ts',
    original: `if (view.getBigUint64(40) !== generation || view.getBigUint64(32) !== epoch) return false`,
    planted: `if (view.getBigUint64(32) !== epoch) return false`,
    caughtBy: ['test/log/crash-points.test.ts'],
  },
  {
    name: 'segments of the default size',
    file: 'packages/log/src/wal/file/file-wal.ts',
    original: `segmentBytes ?? open.limits.segmentBytes`,
    planted: `segmentBytes ?? 64 * 1024 * 1024`,
    caughtBy: ['test/limits/limits.test.ts'],
  },
  {
    name: 'a section that was copied on counts twice',
    file: 'packages/log/src/wal/file/section-order.ts',
    original: `a.baseOffset === other?.header.baseOffset && `,
    planted: `a.baseOffset === other?.header.baseOffset && a.baseOffset < 0n && `,
    caughtBy: ['test/log/sparse-segments.test.ts'],
  },
  {
    name: 'write frames by the template of the earlier use of a file',
    file: 'packages/log/src/wal/file/frame-writer.ts',
    original: `return this.#generation === generation && this.#epoch === epoch`,
    planted: `return this.#epoch === epoch`,
    caughtBy: ['packages/log/src/wal/file/flush-buffer.test.ts'],
  },
  {
    name: 'name the first topic of a flush in all its frames',
    file: 'packages/log/src/wal/file/frame-writer.ts',
    original: `    bytes.set(uuidBytes(header.topicId), at + 64)
`,
    planted: `    if (position === flushStart) this.#bytes.set(uuidBytes(header.topicId), 64)
    bytes.set(this.#bytes.subarray(64, 80), at + 64)
`,
    caughtBy: ['packages/log/src/wal/file/flush-buffer.test.ts'],
  },
  {
    name: 'go on from the sum of a header of other length',
    file: 'packages/log/src/wal/file/frame-writer.ts',
    original: `if (frame.batchesBytes !== this.#lastBytes) {`,
    planted: `if (this.#lastBytes < 0) {`,
    caughtBy: ['packages/log/src/wal/file/flush-buffer.test.ts'],
  },
  {
    name: 'leave what an earlier flush wrote between two frames',
    file: 'packages/log/src/wal/file/flush-buffer.ts',
    original: `while (at < next) bytes[at++] = 0`,
    planted: `at = next`,
    caughtBy: ['packages/log/src/wal/file/flush-buffer.test.ts'],
  },
  {
    name: 'ack large sections after small ones',
    file: 'packages/log/src/wal/file/wal-writer.ts',
    original: `    resolve({ baseOffset, lastOffset, location: { segment, position, sizeBytes }, durability: 'disk' })
`,
    planted: `    const ack = { baseOffset, lastOffset, location: { segment, position, sizeBytes }, durability: 'disk' } as const
    if (batchesBytes < 1000) resolve(ack)
    else setImmediate(() => resolve(ack))
`,
    caughtBy: ['packages/log/src/wal/file/conformance.test.ts'],
  },
  {
    name: 'answer a flush of a long queue as it begins',
    file: 'packages/log/src/wal/file/wal-writer.ts',
    original: `      taken = flush.appends
`,
    planted: `      taken = flush.appends
      if (this.#queue.isLong) acknowledge({ taken, start, segment: active.id })
`,
    caughtBy: ['packages/log/src/wal/file/long-queue.test.ts'],
  },
  {
    name: 'answer a flush before the next begins, however many wait',
    file: 'packages/log/src/wal/file/wal-writer.ts',
    original: `if (durable !== undefined && !this.#queue.isLong) {`,
    planted: `if (durable !== undefined) {`,
    caughtBy: ['packages/log/src/wal/file/long-queue.test.ts'],
  },
  {
    name: 'answer a flush behind the next one, however few wait',
    file: 'packages/log/src/wal/file/wal-writer.ts',
    original: `if (durable !== undefined && !this.#queue.isLong) {`,
    planted: `if (durable !== undefined && this.#queue.length === 0) {`,
    caughtBy: ['packages/log/src/wal/file/long-queue.test.ts'],
  },
  {
    name: 'begin the next flush before those come who heard of the last',
    file: 'packages/log/src/wal/file/wal-writer.ts',
    original: `        await hops()
`,
    planted: ``,
    caughtBy: ['packages/log/src/wal/file/long-queue.test.ts'],
  },
  {
    name: 'answer a flush behind the next one',
    file: 'packages/log/src/wal/file/wal-writer.ts',
    original: `      const flushing = this.#flush()
      if (durable !== undefined) acknowledge(durable)
      durable = await flushing
`,
    planted: `      const next = await this.#flush()
      if (durable !== undefined) acknowledge(durable)
      durable = next
`,
    caughtBy: ['packages/log/src/wal/file/long-queue.test.ts'],
  },
  {
    name: 'forget to answer the last flush',
    file: 'packages/log/src/wal/file/wal-writer.ts',
    original: `    if (durable !== undefined) acknowledge(durable)
    this.#flushing = undefined
`,
    planted: `    this.#flushing = undefined
`,
    caughtBy: ['packages/log/src/wal/file/long-queue.test.ts'],
  },
  {
    name: 'reject before those hear who were made durable',
    file: 'packages/log/src/wal/file/wal-writer.ts',
    original: `      await done
      if (isReserved`,
    planted: `      if (isReserved`,
    caughtBy: ['packages/log/src/wal/file/long-queue.test.ts'],
  },
  {
    name: 'count the sections of a flush and one of their sizes',
    file: 'packages/log/src/wal/file/append-queue.ts',
    original: `bytes += frameBytes(batchesBytes)`,
    planted: `bytes = frameBytes(batchesBytes)`,
    caughtBy: ['packages/log/src/wal/file/long-queue.test.ts'],
  },
  {
    name: 'count the padding of frames as live',
    file: 'packages/log/src/wal/file/append-queue.ts',
    original: `      bytes += frameBytes(batchesBytes)
`,
    planted: `      bytes = end - start
`,
    caughtBy: ['packages/log/src/wal/file/long-queue.test.ts'],
  },
  {
    name: 'lose the other half of a long queue',
    file: 'packages/log/src/wal/file/append-queue.ts',
    original: `this.#waiting.splice(0, count), end, bytes }`,
    planted: `this.#waiting.splice(0, length > HALVE_ABOVE ? 2 * count : count).slice(0, count), end, bytes }`,
    caughtBy: ['packages/log/src/wal/file/long-queue.test.ts'],
  },
  {
    name: 'write all of a long queue at once',
    file: 'packages/log/src/wal/file/append-queue.ts',
    original: `length > HALVE_ABOVE ? length >> 1 : length`,
    planted: `length`,
    caughtBy: ['packages/log/src/wal/file/long-queue.test.ts'],
  },
  {
    name: 'write behind the end of a segment',
    file: 'packages/log/src/wal/file/writer-segments.ts',
    original: `return !this.#active.isSealed && this.#active.fits(batchesBytes)`,
    planted: `return !this.#active.isSealed`,
    caughtBy: ['packages/log/src/wal/file/long-queue.test.ts'],
  },
  {
    name: 'forget a half that waits for room',
    file: 'packages/log/src/wal/file/wal-writer.ts',
    original: `        this.#queue.putBack(taken)
`,
    planted: ``,
    caughtBy: ['packages/log/src/wal/file/long-queue.test.ts'],
  },
  {
    name: 'write behind a seal',
    file: 'packages/log/src/wal/file/writer-segments.ts',
    original: `return !this.#active.isSealed && this.#active.fits(batchesBytes)`,
    planted: `return this.#active.fits(batchesBytes)`,
    caughtBy: ['packages/log/src/wal/file/long-queue.test.ts'],
  },
  {
    name: 'take room for where a flush begins',
    file: 'packages/log/src/wal/file/wal-writer.ts',
    original: `if (!active.isAllocated(needed))`,
    planted: `if (!active.isAllocated(start))`,
    caughtBy: ['packages/log/src/wal/file/long-queue.test.ts'],
  },
  {
    name: 'a reader takes what was copied on for released',
    file: 'packages/log/src/wal/file/wal-reader.ts',
    original: `await this.#tail.since(info.epoch, end)`,
    planted: `await this.#tail.since(-1n, { name: '', generation: 2n ** 62n, position: 0, isSealed: true }).catch(() => ({ found: [], isBehind: false }))`,
    caughtBy: ['test/log/sparse-segments.test.ts'],
  },
  {
    name: 'let one file that cannot be removed keep all others',
    file: 'packages/log/src/wal/file/dead-files.ts',
    original: `        failure ??= error
`,
    planted: `        failure ??= error
        break
`,
    caughtBy: ['test/log/dead-files.test.ts'],
  },
  {
    name: 'leave its header to a file that never got a frame',
    file: 'packages/log/src/wal/file/segment-supply.ts',
    original: `      await file.truncate(0)
`,
    planted: ``,
    caughtBy: ['test/log/dead-files.test.ts'],
  },
  {
    name: 'keep what was preallocated behind a seal',
    file: 'packages/log/src/wal/file/writer-segments.ts',
    original: `await full.trim()`,
    planted: `full.position`,
    caughtBy: ['test/log/early-seal.test.ts'],
  },
  {
    name: 'repair with the write-ahead data of another log',
    file: 'packages/log/src/wal/repair/repair-wal.ts',
    original: `checkLogId(dir, info, logId)`,
    planted: `checkLogId(dir, info, info.logId)`,
    caughtBy: ['packages/moulin/src/cli-url.test.ts'],
  },
]
