import type { Mutant } from './mutants.ts'

/** Planted bugs of `log`. */
export const logMutants: readonly Mutant[] = [
  {
    name: 'keep what the writer has released',
    file: 'packages/log/src/moulin-log.ts',
    original: `.then(forgetReleased)`,
    planted: ``,
    caughtBy: ['test/log/follower-forgets.test.ts'],
  },
  {
    name: 'tier only topics that are opened',
    file: 'packages/log/src/open-log.ts',
    original: `  directory.begin()\n`,
    planted: ``,
    caughtBy: ['test/log/scheduler.test.ts'],
  },
  {
    name: 'limits that contradict each other',
    file: 'packages/log/src/log-limits.ts',
    original: `if (small + around <= large) return`,
    planted: `if (small <= large) return`,
    caughtBy: ['test/limits/limits.test.ts'],
  },
  {
    name: 'leave the sequencer of a failed opening open',
    file: 'packages/log/src/open-log.ts',
    original: `for (const session of [sequencer, opened.writer])`,
    planted: `for (const session of [opened.writer])`,
    caughtBy: ['test/log/open-log.test.ts'],
  },
  {
    name: 'open a log where no commit can be staged',
    file: 'packages/log/src/open-log.ts',
    original: `if (access === 'read-write' && options.tier !== undefined) {`,
    planted: `if (access === 'read-only') {`,
    caughtBy: ['test/limits/key-room.test.ts'],
  },
  {
    name: 'make a log of a wrong place by repairing it',
    file: 'packages/log/src/repair-log.ts',
    original: `if (logId === undefined) await refuseEmpty`,
    planted: `if (logId === '') await refuseEmpty`,
    caughtBy: ['packages/moulin/src/cli-url.test.ts'],
  },
  {
    name: 'wait for a wall time that is past',
    file: 'packages/log/src/chores/chore.ts',
    original: `return waitMs <= 0 ? -Infinity : clock.monotonic() + waitMs`,
    planted: `return clock.monotonic() + Math.max(0, waitMs)`,
    caughtBy: ['packages/log/src/chores/chore.test.ts'],
  },
  {
    name: 'show what failed though nothing is left to be done',
    file: 'packages/log/src/chores/chore.ts',
    original: `if (!this.#isOver && !this.#work.isWanted()) this.#failures.succeeded()`,
    planted: ``,
    caughtBy: ['test/log/settled-failures.test.ts'],
  },
  {
    name: 'charge new work with the failures of what was settled',
    file: 'packages/log/src/chores/chore.ts',
    original: `      chore.settle()\n`,
    planted: ``,
    caughtBy: ['packages/log/src/chores/chore.test.ts'],
  },
  {
    name: 'ask again and again for what a reader holds',
    file: 'packages/log/src/chores/chore.ts',
    original: `    this.#waitMs = Math.min(MAX_WAIT_MS, waitMs * 2)`,
    planted: `    this.#waitMs = waitMs`,
    caughtBy: ['test/log/scheduler.test.ts'],
  },
  {
    name: 'count places for ever that a reader passed over while it was opened',
    file: 'packages/log/src/hot/hot-log.ts',
    original: `    this.#release(this.#unreleased)\n`,
    planted: ``,
    caughtBy: ['packages/log/src/hot/hot-log.test.ts'],
  },
  {
    name: 'recovered end missing',
    file: 'packages/log/src/hot/hot-log.ts',
    original: `partition.recovered = partition.highWatermark`,
    planted: `partition.recovered = 0n`,
    caughtBy: ['test/log/recovered-end.test.ts'],
  },
  {
    name: 'recovered records are new',
    file: 'packages/log/src/hot/hot-log.ts',
    original: `Math.max(0, now() - header.appendedMs)`,
    planted: `0 * (now() - header.appendedMs)`,
    caughtBy: ['test/log/age-over-restarts.test.ts'],
  },
  {
    name: 'an append from the future has a negative age',
    file: 'packages/log/src/hot/hot-log.ts',
    original: `Math.max(0, now() - header.appendedMs)`,
    planted: `now() - header.appendedMs`,
    caughtBy: ['test/log/age-over-restarts.test.ts'],
  },
  {
    name: 'count a section that was copied on at both its places',
    file: 'packages/log/src/hot/hot-partition.ts',
    original: `return [isKnown ? this.#sections.move(index, location) : location]`,
    planted: `return [isKnown ? this.#sections.move(index, location) : location].slice(1)`,
    caughtBy: ['test/log/follower-forgets.test.ts'],
  },
  {
    name: 'forget at recovery which records are aborted',
    file: 'packages/log/src/hot/hot-partition.ts',
    original: `if (facts.aborted !== undefined) this`,
    planted: `if (facts.aborted !== undefined && this.recovered > 0n) this`,
    caughtBy: ['test/aborted-records.test.ts'],
  },
  {
    name: 'wait for the Wal behind the signal',
    file: 'packages/log/src/hot/hot-log.ts',
    original: `return await waitFor(this.#wal!.read(section.location, signal === undefined ? {} : { signal }), signal)`,
    planted: `return await this.#wal!.read(section.location, signal === undefined ? {} : { signal })`,
    caughtBy: ['test/deaf-store.test.ts'],
  },
  {
    name: 'wait for a source that hangs',
    file: 'packages/log/src/produce/send-all.ts',
    original: `    this.stopSource(this.failure)\n`,
    planted: ``,
    caughtBy: ['test/log/ended-sends.test.ts'],
  },
  {
    name: 'let what lingers be stored behind a batch that a full disk rejected',
    file: 'packages/log/src/produce/log-producer.ts',
    original: `    if (!isKnown) this.#refuse(`,
    planted: `    if (!isKnown && isLast) this.#refuse(`,
    caughtBy: ['test/log/ended-sends.test.ts'],
  },
  {
    name: 'let a later send pass one that waits for room',
    file: 'packages/log/src/produce/admission.ts',
    original: `this.#room.enter(() => this.#gate.pass(enter, stop.signal), stop.signal)`,
    planted: `this.#room.enter(async () => {}, stop.signal).then(() => this.#gate.pass(enter, stop.signal))`,
    caughtBy: ['packages/log/src/produce/admission.test.ts'],
  },
  {
    name: 'leave the offsets that a Wal assigned out of what is tailed',
    file: 'packages/log/src/produce/single.ts',
    original: `        const { baseOffset, lastOffset, aborted, location } = appended
        patch(baseOffset)
`,
    planted: `        const { baseOffset, lastOffset, aborted, location } = appended
`,
    caughtBy: ['test/log/memory-wal.test.ts'],
  },
  {
    name: 'tell who follows after the ack',
    file: 'packages/log/src/produce/single.ts',
    original: `            following.follower?.add(header, location, batches)
          } catch`,
    planted: `            setImmediate(() => following.follower?.add(header, location, batches))
          } catch`,
    caughtBy: ['test/log/open-log.test.ts'],
  },
  {
    name: 'offsets of an earlier life',
    file: 'packages/log/src/produce/single.ts',
    original: `const sequence = sequenceOf(topicId, incarnation, partition)`,
    planted: `const sequence = sequenceOf(topicId, 0, partition)`,
    caughtBy: ['test/adopted-table.test.ts'],
  },
  {
    name: 'go on above the offsets that a full disk rejected',
    file: 'packages/log/src/produce/single.ts',
    original: `if (each !== undefined) each.next = each.durable`,
    planted: `if (each !== undefined) each.durable = each.next`,
    caughtBy: ['packages/log/src/produce/single.test.ts'],
  },
  {
    name: 'hand on the checksum of batches as it was before their offsets',
    file: 'packages/log/src/produce/batch-appender.ts',
    original: `    patchBatch(own, position, { baseOffset: next, partitionLeaderEpoch: 0 })
    const ofBatch = crcOfBatch(own, position, sizeBytes)
`,
    planted: `    const ofBatch = crcOfBatch(own, position, sizeBytes)
    patchBatch(own, position, { baseOffset: next, partitionLeaderEpoch: 0 })
`,
    caughtBy: ['test/log/appended-batches.test.ts'],
  },
  {
    name: 'join the checksums of batches at another length',
    file: 'packages/log/src/produce/batch-appender.ts',
    original: `crc32cJoined(crc, ofBatch, sizeBytes)`,
    planted: `crc32cJoined(crc, ofBatch, own.length)`,
    caughtBy: ['test/log/appended-batches.test.ts'],
  },
  {
    name: 'give two appends the same memory',
    file: 'packages/log/src/produce/own-bytes.ts',
    original: `  used += length
`,
    planted: `  used += length >> 1
`,
    caughtBy: ['packages/log/src/produce/own-bytes.test.ts', 'test/log/appended-batches.test.ts'],
  },
  {
    name: 'take the batches of a section for those of the one behind it',
    file: 'packages/log/src/hot/tail-ring.ts',
    original: `    if (found.lastOffset !== lastOffset) return undefined
`,
    planted: ``,
    caughtBy: ['packages/log/src/hot/tail-ring.test.ts'],
  },
  {
    name: 'end a batch once it is too large',
    file: 'packages/log/src/produce/collector.ts',
    original: `return builder.sizeWith(record, bodyBytes) <= maxBatchBytes`,
    planted: `return builder.sizeBytes <= maxBatchBytes`,
    caughtBy: ['test/limits/edges.test.ts'],
  },
  {
    name: 'believe a header that says less than its latest record',
    file: 'packages/log/src/produce/batch-appender.ts',
    original: `maxTimestamp < latestMs`,
    planted: `maxTimestamp < header.baseTimestamp`,
    caughtBy: ['test/offset-for.test.ts'],
  },
  {
    name: 'give out the memory of all readers',
    file: 'packages/log/src/read/record-view.ts',
    original: `  const own = new Uint8Array(run.batches)`,
    planted: `  const own = run.batches`,
    caughtBy: ['test/own-bytes.test.ts'],
  },
  {
    name: 'answer a fetch before minBytes',
    file: 'packages/log/src/read/fetch-batches.ts',
    original: `take.bytes >= minBytes`,
    planted: `take.bytes > 0`,
    caughtBy: ['test/fetch.test.ts'],
  },
  {
    name: 'answer a fetch over a gap without getting on',
    file: 'packages/log/src/read/batch-take.ts',
    original: `if (offset > this.nextOffset) this`,
    planted: `if (offset > this.nextOffset && this.bytes > 0) this`,
    caughtBy: ['test/fetch.test.ts'],
  },
  {
    name: 'give no batch where maxBytes is smaller',
    file: 'packages/log/src/read/batch-take.ts',
    original: `if (!isFirst && this`,
    planted: `if (this`,
    caughtBy: ['test/fetch.test.ts'],
  },
  {
    name: 'answer a fetch with what lies below it',
    file: 'packages/log/src/read/batch-take.ts',
    original: `offset >= this.nextOffset && offset < to && !hasOffset`,
    planted: `offset < to && !hasOffset`,
    caughtBy: ['test/aborted-records.test.ts'],
  },
  {
    name: 'scan for a time without rows that have none',
    file: 'packages/log/src/read/timestamp-search.ts',
    original: `timestamp > NO_TIMESTAMP ? isLater : or(`,
    planted: `timestamp > -100n * INT64_MAX ? isLater : or(`,
    caughtBy: ['test/offset-for.test.ts'],
  },
  {
    name: 'answer a fetch that was aborted with what there is',
    file: 'packages/log/src/read/fetch-batches.ts',
    original: `      throwIfAborted(signal)\n      if (take.isFull`,
    planted: `      if (take.isFull`,
    caughtBy: ['test/deaf-store.test.ts'],
  },
  {
    name: 'give of a batch what lies behind its run',
    file: 'packages/log/src/read/batch-take.ts',
    original: `first >= this.nextOffset && next <= to`,
    planted: `first >= this.nextOffset`,
    caughtBy: ['test/fetch.test.ts'],
  },
  {
    name: 'give of a batch what lies before its run',
    file: 'packages/log/src/read/batch-take.ts',
    original: `first >= this.nextOffset && next <= to`,
    planted: `next <= to`,
    caughtBy: ['test/fetch.test.ts'],
  },
  {
    name: 'owe no checkpoint that could not be written',
    file: 'packages/log/src/stored/checkpoint-writer.ts',
    original: `          this.#isOwed = true\n`,
    planted: ``,
    caughtBy: ['packages/log/src/stored/checkpoint-writer.test.ts'],
  },
  {
    name: 'one place in checkpoints for all lives of a topic',
    file: 'packages/log/src/stored/checkpoint-writer.ts',
    original: 'this.#topics.set(`${record.id}/${record.incarnation}`, { record, hot })',
    planted: 'this.#topics.set(record.id, { record, hot })',
    caughtBy: ['test/log/next-incarnation.test.ts'],
  },
  {
    name: 'an older version for a newer topic',
    file: 'packages/log/src/stored/topic-store.ts',
    original: `if (!isMoulinError(error) || error.kind !== 'corrupt') throw error`,
    planted: `if (!isMoulinError(error)) throw error`,
    caughtBy: ['test/log/newer-topic.test.ts'],
  },
  {
    name: 'a newer schema stops the log',
    file: 'packages/log/src/stored/schema-ledger.ts',
    original: `  const { json, refusal } = stored\n`,
    planted: `  const { json, refusal } = stored\n  if (refusal !== undefined) throw refusal\n`,
    caughtBy: ['test/log/newer-schema.test.ts'],
  },
  {
    name: 'the id of a newer schema is free',
    file: 'packages/log/src/stored/schema-ledger.ts',
    original: `if (entry !== undefined) keep(entry)`,
    planted: `if (entry?.read !== undefined) keep(entry)`,
    caughtBy: ['test/log/newer-schema.test.ts'],
  },
  {
    name: 'equal texts are one schema',
    file: 'packages/log/src/stored/registry-identity.ts',
    original: 'return `${format}\\n${registryText(registry)}\\n${definition}`',
    planted: 'return `${format}\\n${registryText(registry && undefined)}\\n${definition}`',
    caughtBy: ['test/log/registry-schemas.test.ts'],
  },
  {
    name: 'grace of the newest commit only',
    file: 'packages/log/src/stored/checkpoint-writer.ts',
    original: `confirmed: hot.confirmed }`,
    planted: `confirmed: undefined }`,
    caughtBy: ['test/log/age-over-restarts.test.ts'],
  },
  {
    name: 'begin a log in a wrong bucket that is empty',
    file: 'packages/log/src/stored/log-identity.ts',
    original: `?? (await refuseOthersWal(store, options))`,
    planted: ``,
    caughtBy: ['test/log/memory-wal.test.ts'],
  },
  {
    name: 'refuse a log that another opener has just begun',
    file: 'packages/log/src/stored/log-identity.ts',
    original: `if (known !== undefined) return known
  const message`,
    planted: `if (known === '') return known
  const message`,
    caughtBy: ['test/log/memory-wal.test.ts'],
  },
  {
    name: 'refuse the log that another began',
    file: 'packages/log/src/stored/log-identity.ts',
    original: `if (known !== undefined) return known
    const message = \`\${store.name} holds other things`,
    planted: `const message = \`\${store.name} holds other things`,
    caughtBy: ['test/log/late-first-objects.test.ts'],
  },
  {
    name: 'commit as much again where there was no room for it',
    file: 'packages/log/src/tiering/commit-size.ts',
    original: `if (isKind(error, 'exhausted', 'NO_SPACE')) this`,
    planted: `if (error === this) this`,
    caughtBy: ['packages/log/src/tiering/commit-size.test.ts'],
  },
  {
    name: 'keep the grace of what a table lost',
    file: 'packages/log/src/tiering/topic-release.ts',
    original: `    this.#cut(frontier)\n`,
    planted: ``,
    caughtBy: ['test/log/age-over-restarts.test.ts'],
  },
  {
    name: 'let a record wait for what its predecessors wait for',
    file: 'packages/log/src/tiering/topic-tiering.ts',
    original: `if (isDue || isFirst) this.evaluate()`,
    planted: `if (isDue) this.evaluate()`,
    caughtBy: ['test/log/scheduler.test.ts'],
  },
  {
    name: 'sleep after an attempt that failed',
    file: 'packages/log/src/tiering/topic-commit.ts',
    original: `        this.#running = undefined
        this.#parts.ended()
`,
    planted: `        this.#running = undefined
`,
    caughtBy: ['test/log/scheduler.test.ts'],
  },
  {
    name: 'take records though nothing makes room',
    file: 'packages/log/src/tiering/wal-relief.ts',
    original: `return this.#full === null ? work() : this.#wait(work, signal)`,
    planted: `return work()`,
    caughtBy: ['test/log/scheduler.test.ts'],
  },
  {
    name: 'release before read-back',
    file: 'packages/log/src/tiering/topic-release.ts',
    original: `const offsets = [frontier[index]!, confirmed[index] ?? 0n, partition.highWatermark]`,
    planted: `const offsets = [partition.highWatermark]`,
    caughtBy: ['test/doors/cold-tier.test.ts'],
  },
  {
    name: 'grace by the commit alone',
    file: 'packages/log/src/tiering/topic-release.ts',
    original: `Math.min(age, now - (partition.youngestBelow(frontier[index] ?? 0n) ?? -Infinity))`,
    planted: `Math.min(age, now - (partition.youngestBelow(0n * frontier[index]!) ?? -Infinity))`,
    caughtBy: ['test/log/age-over-restarts.test.ts'],
  },
  {
    name: 'grace forgotten by a killed process',
    file: 'packages/log/src/tiering/topic-release.ts',
    original: `if (hot.confirmed?.sinceMs === confirmed?.sinceMs) return`,
    planted: `if (hot.confirmed !== undefined || confirmed === undefined) return`,
    caughtBy: ['test/log/age-over-restarts.test.ts'],
  },
  {
    name: 'call a reader older than its table that is only behind its writer',
    file: 'packages/log/src/topics/topic-verdict.ts',
    original: `verdict.ahead.every((range) => has(state, range))`,
    planted: `verdict.ahead.length < looks`,
    caughtBy: ['test/judged-table.test.ts'],
  },
  {
    name: 'a topic shut by what its table refuses',
    file: 'packages/log/src/topics/topic-directory.ts',
    original: `isBearable: (error: unknown) => boolean = isOfTable`,
    planted: `isBearable: (error: unknown) => boolean = isLogBehind`,
    caughtBy: ['test/table-refusal.test.ts'],
  },
  {
    name: 'ack before the table has been seen',
    file: 'packages/log/src/topics/topic-state.ts',
    original: `    await this.#firstLook\n`,
    planted: ``,
    caughtBy: ['test/log/older-than-table.test.ts'],
  },
  {
    name: 'accept before a checkpoint knows the next incarnation',
    file: 'packages/log/src/topics/topic-lives.ts',
    original: `  await core.checkpoints.write()\n`,
    planted: ``,
    caughtBy: ['test/log/next-incarnation.test.ts'],
  },
  {
    name: 'a deleted topic lives',
    file: 'packages/log/src/topics/topic-directory.ts',
    original: `if (topic?.state !== 'live') return undefined`,
    planted: `if (topic === undefined) return undefined`,
    caughtBy: ['test/log/newer-topic.test.ts'],
  },
  {
    name: 'drop the checkpoint entry of a newer topic',
    file: 'packages/log/src/topics/topic-directory.ts',
    original: `if (record === undefined) checkpoints.carry(entry)`,
    planted: `if (record === undefined) void entry`,
    caughtBy: ['test/log/newer-topic.test.ts'],
  },
  {
    name: 'drop earlier incarnations and leave producers waiting',
    file: 'packages/log/src/topics/topic-state.ts',
    original: `    this.core.pressure.ended()
`,
    planted: ``,
    caughtBy: ['test/log/next-incarnation.test.ts'],
  },
  {
    name: 'tell a reader to create the topic that he has mistaken',
    file: 'packages/log/src/topics/topic-directory.ts',
    original: `if (this.#core.access === 'read-write') return 'create it`,
    planted: `if (this.#core.access) return 'create it`,
    caughtBy: ['packages/moulin/src/attach-command.test.ts'],
  },
  {
    name: 'refuse the topic that was made since it was looked for',
    file: 'packages/log/src/topics/topic-directory.ts',
    original: `if (!isKind(error, 'exists', 'TOPIC_EXISTS')) throw error`,
    planted: `throw error`,
    caughtBy: ['test/log/late-first-objects.test.ts'],
  },
  {
    name: 'bound what each producer holds, and not the log',
    file: 'packages/log/src/produce/log-producer.ts',
    original: `new ByteGate(maxUnackedBytes, unacked, `,
    planted: `new ByteGate(maxUnackedBytes, undefined, `,
    caughtBy: ['test/log/unacked-bytes.test.ts'],
  },
  {
    name: 'go on above what nobody was shown',
    file: 'packages/log/src/produce/single.ts',
    original: `            throw following.failed(error)
          }`,
    planted: `            throw error
          }`,
    caughtBy: ['packages/log/src/produce/single.test.ts'],
  },
  {
    name: 'let a sequencer that throws keep what an append counted',
    file: 'packages/log/src/topics/topic-state.ts',
    original: `    return Promise.reject(error as Error)
  }
}

function boundsOf`,
    planted: `    throw error
  }
}

function boundsOf`,
    caughtBy: ['test/log/unacked-bytes.test.ts'],
  },
  {
    name: 'let small copies be moved away with one of them',
    file: 'packages/log/src/produce/own-bytes.ts',
    original: `    staysHere(slab.buffer)
`,
    planted: ``,
    caughtBy: ['packages/log/src/produce/own-bytes.test.ts'],
  },
  {
    name: 'let appends in before all producers',
    file: 'packages/log/src/open-log.ts',
    original: `new ByteGate(limits.maxUnackedBytes, unacked)),`,
    planted: `unacked),`,
    caughtBy: ['test/log/unacked-bytes.test.ts'],
  },
  {
    name: 'let batches linger that are all that is in the way of others',
    file: 'packages/log/src/produce/byte-gate.ts',
    original: `    for (const gate of this.#holders) gate.#onStuck?.()
`,
    planted: ``,
    caughtBy: ['packages/log/src/produce/byte-gate.test.ts'],
  },
  {
    name: 'send small batches wherever somebody waits',
    file: 'packages/log/src/produce/byte-gate.ts',
    original: ` || this.#heldBytes < this.#bytes) return`,
    planted: `) return`,
    caughtBy: ['packages/log/src/produce/byte-gate.test.ts'],
  },
  {
    name: 'let one producer in before all others',
    file: 'packages/log/src/produce/byte-gate.ts',
    original: `      this.#crowded.delete(gate)
      this.#crowded.add(gate)
`,
    planted: ``,
    caughtBy: ['packages/log/src/produce/byte-gate.test.ts'],
  },
  {
    name: 'take a record that its own code has closed the producer before',
    file: 'packages/log/src/produce/collector.ts',
    original: `      this.#checkGoesOn(signal)
    } catch`,
    planted: `    } catch`,
    caughtBy: ['packages/log/src/produce/collector.test.ts'],
  },
  {
    name: 'keep a record that was refused',
    file: 'packages/log/src/produce/collector.ts',
    original: `      builder.undo()
      throw error`,
    planted: `      throw error`,
    caughtBy: ['packages/log/src/produce/collector.test.ts'],
  },
]
