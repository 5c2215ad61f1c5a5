import { conflict, silentLogger, stringifyJson } from '@moulin/core'
import type { AuditRange, TableFilesVerdict, TableVerdict, Topic } from '@moulin/core'
import { jsonLine } from './cli-values.ts'
import { openFolder } from './embedded.ts'

export interface AttachOptions {
  /** Also work out what adopting the tables that are broken would do. */
  readonly adopt?: boolean
  /** Do exactly that. */
  readonly yes?: boolean
  readonly json?: boolean
}

/** Where the command writes, and what it leaves to others. */
export interface AttachOutput {
  line(text: string): void
  /** Of a topic that has no verdict, or keeps a broken one. */
  fail(topic: string, error: unknown): void
  exitWith(status: number): void
}

interface Broken {
  readonly name: string
  readonly verdict: TableVerdict
}

type Planned = NonNullable<TableVerdict['adoption']>

/**
 * Says of a log's topics what the history of their tables is worth, read-only; with `adopt` and `yes` opens the log for writing, then, and
 * adopts those that are broken. Exit status 2 while one is.
 */
export async function attach(
  dir: string,
  names: readonly string[] | undefined,
  options: AttachOptions,
  output: AttachOutput,
): Promise<void> {
  const broken: Broken[] = []
  const log = await openFolder(dir, { access: 'read-only', logger: silentLogger })
  try {
    const asked = names ?? (await log.topics())
    if (asked.length === 0 && !options.json) output.line('This log has no topics.')
    for (const name of asked) {
      try {
        const topic = await log.topic(name)
        const verdict = await topic.judgeTable({ plan: options.adopt ?? false })
        if (options.json) output.line(jsonLine({ topic: name, table: topic.config.table, ...verdict }))
        else verdictLines(topic, verdict, options.adopt ?? false).forEach((text) => output.line(text))
        if (verdict.verdict === 'broken') broken.push({ name, verdict })
      } catch (error) {
        output.fail(name, error)
      }
    }
  } finally {
    await log.close()
  }
  const adoptable = broken.filter(({ verdict }) => verdict.adoption !== null)
  const isAsked = options.adopt === true && adoptable.length > 0
  if (isAsked && options.yes === true) await adoptAll(dir, adoptable, options, output)
  else if (isAsked && !options.json) output.line('Run with --yes to do exactly this.')
  if (broken.length > (options.yes === true ? adoptable.length : 0)) output.exitWith(2)
}

async function adoptAll(
  dir: string,
  all: readonly Broken[],
  { json }: AttachOptions,
  output: AttachOutput,
): Promise<void> {
  const log = await openFolder(dir, { logger: silentLogger })
  try {
    for (const { name, verdict } of all) {
      try {
        const topic = await log.topic(name)
        // A writer looks anew: what was printed was found without the right to change anything.
        const again = await topic.judgeTable({ plan: true })
        if (!isSame(again, verdict)) throw changed(name)
        const done = await topic.adoptTable({ expectedSnapshotId: verdict.snapshotId })
        output.line(json ? jsonLine({ topic: name, adopted: done }) : `${name}: adopted`)
      } catch (error) {
        output.fail(name, error)
      }
    }
  } finally {
    await log.close()
  }
}

/** Of one table, as it was, and with the same records given up: by place, not by number. */
const isSame = (a: TableVerdict, b: TableVerdict): boolean =>
  a.adoption !== null && a.snapshotId === b.snapshotId && stringifyJson(a.adoption) === stringifyJson(b.adoption)

function changed(name: string): Error {
  const message = `Table and log of topic ${name} are not as they were when this was printed: nothing was adopted, look again.`
  return conflict('PLAN_CHANGED', message, { context: { topic: name } })
}

function verdictLines(topic: Topic, verdict: TableVerdict, isAsked: boolean): string[] {
  const { evidence, fault, snapshotId, inDoubt, ahead, files, remedy, adoption } = verdict
  const snapshot = snapshotId === null ? 'without a snapshot' : `snapshot ${snapshotId}`
  return [
    `${topic.name}: ${verdict.verdict}${fault === null ? '' : ` (${fault})`}`,
    `  table ${topic.config.table}, ${snapshot}`,
    `  evidence: ${evidence}`,
    ...(files === null ? ['  files: not looked for'] : filesLines(files)),
    ...inDoubt.map((range) => `  in doubt: ${rangeText(range)}`),
    ...ahead.map((range) => `  the log has not: ${rangeText(range)}`),
    ...(verdict.verdict === 'broken' || files?.missingCount ? [`  what to do: ${remedy}`] : []),
    ...(adoption === null ? (isAsked && fault !== null ? ['  it cannot be adopted'] : []) : adoptionLines(adoption)),
  ]
}

function filesLines({ named, looked, missing, missingCount, held }: TableFilesVerdict): string[] {
  if (named === 0) return ['  files: none']
  const all = `${looked === named ? named : `${looked} of ${named}`} looked for by name and size`
  const more = missingCount - missing.length
  return [
    `  files: ${all}, ${missingCount === 0 ? 'all there' : `${missingCount} missing`}; none opened`,
    ...missing.map(({ location, reason }) => `    missing: ${location}: ${reason}`),
    ...(more > 0 ? [`    missing: ${more} more`] : []),
    ...held.map((range) => `    the write-ahead tier still has: ${rangeText(range)}`),
  ]
}

function adoptionLines({ outcome, incarnation, frontier, rows, skippedOffsets, skipped }: Planned): string[] {
  const what =
    outcome === 'next-incarnation'
      ? `the topic would go on in incarnation ${incarnation}`
      : `the ledger would be counted anew: ${rows} rows, ${skippedOffsets} offsets without one`
  return [
    `  adopting it, ${what}`,
    ...frontier.map((offset, partition) => `    partition ${partition} would go on at ${offset}`),
    ...skipped.map((range) => `    a gap: ${rangeText(range)}`),
  ]
}

const rangeText = ({ incarnation, partition, from, to }: AuditRange): string =>
  `${from} to ${to} in incarnation ${incarnation} partition ${partition}`
