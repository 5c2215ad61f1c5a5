import type { Mutant } from './mutants.ts'

/** Planted bugs of `lake`, its room `replay`. */
export const lakeReplayMutants: readonly Mutant[] = [
  {
    name: 'count the page fetches of one cold read for another',
    file: 'packages/lake/src/replay/read-tally.ts',
    original: `    const tally = new ReadTally()`,
    planted: `    const tally = ((this as { last?: ReadTally }).last ??= new ReadTally())`,
    caughtBy: ['packages/moulin/src/opentelemetry.test.ts'],
  },
  {
    name: 'remember where rows are, whatever is deleted by now',
    file: 'packages/lake/src/replay/row-index.ts',
    original: `const key = \`\${file.key}#`,
    planted: `const key = \`\${file.name}#`,
    caughtBy: ['test/masked-rows.test.ts'],
  },
  {
    name: 'find rows by arithmetic though some between them are deleted',
    file: 'packages/lake/src/replay/row-index.ts',
    original: `!== BigInt(group.liveRows)) return undefined`,
    planted: `!== BigInt(group.rowCount)) return undefined`,
    caughtBy: ['test/masked-rows.test.ts'],
  },
  {
    name: 'what is missing is a gap',
    file: 'packages/lake/src/replay/cold-read.ts',
    original: `of absentIn(plan.holes, places.offsets,`,
    planted: `of absentIn([], places.offsets,`,
    caughtBy: ['packages/lake/src/look/missing-files.test.ts'],
  },
  {
    name: 'a window that ends before its first place',
    file: 'packages/lake/src/replay/cold-window.ts',
    original: `end = cut > places.offsets[0]! ? cut : cut + 1n`,
    planted: `end = cut`,
    caughtBy: ['packages/lake/src/replay/cold-window.test.ts'],
  },
  {
    name: 'end a batch before the values of its last block',
    file: 'packages/lake/src/replay/record-runs.ts',
    original: `        block.writeColumns(written, at, framer.target)
        written = at
`,
    planted: ``,
    caughtBy: ['packages/lake/src/replay/record-runs.test.ts'],
  },
  {
    name: 'a value without its state is a tombstone',
    file: 'packages/lake/src/replay/record-decoder.ts',
    original: `state === 'null') return`,
    planted: `state !== 'typed') return`,
    caughtBy: ['test/missing-schema.test.ts'],
  },
  {
    name: 'call a missing schema damage',
    file: 'packages/lake/src/replay/record-decoder.ts',
    original: `(lacksColumns || this.#unknown.has(this.valueSchemaId(row)))`,
    planted: `lacksColumns`,
    caughtBy: ['test/missing-schema.test.ts'],
  },
  {
    name: 'find the time of a row that does not count at its place',
    file: 'packages/lake/src/replay/timestamp-seek.ts',
    original: `await counting.rows(this.#call)`,
    planted: `await counting.withRivals(this.#call)`,
    caughtBy: ['packages/lake/src/replay/timestamp-seek.test.ts'],
  },
  {
    name: 'give kept bytes for columns that SQL changed beside one that is gone',
    file: 'packages/lake/src/replay/record-decoder.ts',
    original: `if (this.#isOwn || source.agrees(row, this.#rawOf(row)))`,
    planted: `if (hasRaw)`,
    caughtBy: ['packages/lake/src/evolved-table.test.ts'],
  },
  {
    name: 'look at no file that a read could not have, where nothing of it is held',
    file: 'packages/lake/src/replay/cold-read.ts',
    original: `await look.again(call, suspect)`,
    planted: `await look.again(call)`,
    caughtBy: ['packages/lake/src/look/missing-files.test.ts'],
  },
  {
    name: 'give what is left of a value that is too large',
    file: 'packages/lake/src/replay/value-source.ts',
    original: `this.#misfits.set(row, `,
    planted: `this.#misfits.set(-1 - row, `,
    caughtBy: ['test/foreign/chaos.test.ts'],
  },
  {
    name: 'call a value whole that lacks a column',
    file: 'packages/lake/src/replay/value-source.ts',
    original: `columns.followed.get(name)?.gone.length !== 0`,
    planted: `columns.followed.get(name)?.gone.length === -1`,
    caughtBy: ['test/foreign/chaos.test.ts'],
  },
  {
    name: 'give the bytes of before an UPDATE',
    file: 'packages/lake/src/replay/record-decoder.ts',
    original: `this.#isOwn || source.agrees(row, this.#rawOf(row))`,
    planted: `this.#isOwn || hasRaw`,
    caughtBy: ['test/foreign/chaos.test.ts'],
  },
  {
    name: 'believe that a file of ours has a column which the table has again',
    file: 'packages/lake/src/replay/file-columns.ts',
    original: `if (lost.length === 0) return columns`,
    planted: `if (lost.length < 99) return columns`,
    caughtBy: ['packages/lake/src/lost-columns.test.ts'],
  },
  {
    name: 'take an empty list for a value',
    file: 'packages/lake/src/replay/value-source.ts',
    original: `return isValid(column, row) && !(column.storage === 'list' &&`,
    planted: `return isValid(column, row) && !(column.storage === 'none' &&`,
    caughtBy: ['packages/lake/src/evolved-table.test.ts'],
  },
]
