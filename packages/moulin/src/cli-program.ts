import { createRequire } from 'node:module'
import { Command, CommanderError } from 'commander'
import { invalid, isMoulinError, messageOf } from '@moulin/core'
import type { AuditPlace, AuditRange, AuditReport, DeepAudit, Log, Topic } from '@moulin/core'
import type { Damage, RepairPlan } from '@moulin/log'
import { attach } from './attach-command.ts'
import type { AttachOptions } from './attach-command.ts'
import { addCatalog } from './catalog-command.ts'
import { positiveInteger } from './cli-numbers.ts'
import {
  openPlace,
  placeArgument,
  storageOf,
  withPlaceFlags,
  withStorageFlag,
  withTable,
  withWalFlags,
} from './cli-place.ts'
import type { PlaceFlags } from './cli-place.ts'
import { cell, jsonLine, plainRow } from './cli-values.ts'
import { addDoctor } from './doctor-command.ts'
import { planPlaceRepair, repairPlace } from './repair-place.ts'
import type { Stoppable } from './stoppable.ts'
import { verifyPlace } from './verify-place.ts'
import { verdictLines } from './verify-lines.ts'

// The same way from the sources and from what is built.
const { version } = createRequire(import.meta.url)('../package.json') as { readonly version: string }

/** Where the command line writes. */
export interface CommandOutput {
  out(text: string): void
  err(text: string): void
  /** True once nobody reads `out` any more. What only prints ends then; what also judges, by its exit status, goes on to its end. */
  readonly isClosed?: boolean
  /** Left out: nobody wants anything to stop. */
  readonly stoppable?: Stoppable
}

/**
 * Runs the command line and resolves with the exit status: 0 done, 1 an audit that is not clean, a repair that is left to do or two readers that differ,
 * 2 a table that is broken, or an error, told in one sentence; that of one topic, or of its table, does not keep the others from being shown. It opens everything read-only, so it may run beside a live writer, but for `repair`,
 * `attach --adopt --yes` and `catalog --fresh`, which want none; the first two change something with `--yes` alone, and `catalog` what engines ask for.
 */
export async function runCommand(argv: readonly string[], output: CommandOutput): Promise<number> {
  let status = 0
  const program = programOf(output, (code) => (status = Math.max(status, code)))
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return status
  } catch (error) {
    // commander has said its sentence already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    output.err(`moulin: ${sentenceOf(error)}\n`)
    return 2
  }
}

function sentenceOf(error: unknown): string {
  return isMoulinError(error) ? error.message : `unexpected: ${messageOf(error)}`
}

function programOf(output: CommandOutput, exitWith: (code: number) => void): Command {
  const program = new Command('moulin')
    .description(
      'Looks into a log and its tables, and serves them. Read-only, but for --yes of repair and attach, doctor and catalog.',
    )
    .version(version, '--version', 'print the version')
    .exitOverride()
    .configureOutput({ writeOut: (text) => output.out(text), writeErr: (text) => output.err(text) })
  const line = (text: string): void => output.out(`${text}\n`)
  const tell = (name: string, sentence: string): void => {
    output.err(`moulin: ${sentence.includes(name) ? sentence : `topic ${name}: ${sentence}`}\n`)
    exitWith(2)
  }
  /** One topic after the other; the error of one is told, and the rest shown. */
  const eachTopic = async (names: readonly string[], show: (name: string) => Promise<void>): Promise<void> => {
    for (const name of names) await show(name).catch((error: unknown) => tell(name, sentenceOf(error)))
  }

  const note = (sentence: string): void => output.err(`moulin: ${sentence}\n`)
  const withLog = async (
    where: string,
    flags: PlaceFlags,
    use: (log: Log, isWhole: boolean) => Promise<void>,
  ): Promise<void> => {
    const { log, isWhole } = await openPlace(where, flags, { access: 'read-only', tell: note })
    try {
      await use(log, isWhole)
    } finally {
      await log.close()
    }
  }

  withPlaceFlags(program.command('topics'))
    .description('the topics of a log, with offsets per partition')
    .argument(...placeArgument)
    .option('--json', 'one JSON object per topic')
    .action((place: string, options: PlaceFlags & { json?: boolean }) =>
      withLog(place, options, async (log, isWhole) => {
        await eachTopic(await log.topics(), async (name) => {
          if (output.isClosed === true) return
          const topic = await log.topic(name)
          const { stoppedBy, lastError } = topic.stats()
          const failure = stoppedBy ?? lastError
          if (failure !== null) tell(name, failure.message)
          if (options.json) line(jsonLine(topicFacts(topic, isWhole)))
          else topicLines(topic, isWhole).forEach(line)
        })
      }),
    )

  withPlaceFlags(program.command('scan'))
    .description(
      'rows of a topic: its table plus what is still hot, each record once; or of any table in a REST catalog',
    )
    .argument(...placeArgument)
    .argument('[topic]', 'name of the topic; left out with --catalog: <place> is a table there, shop.orders')
    .option('--columns <names>', 'comma-separated; default: the value columns')
    .option('--limit <rows>', 'stop after so many rows', positiveInteger)
    .option('--json', 'one JSON object per row instead of tab-separated values')
    .action(async (place: string, name: string | undefined, options: PlaceFlags & ScanFlags) => {
      const columns = options.columns?.split(',')
      const show = async (scan: AsyncIterable<object>): Promise<void> => {
        let rows = 0
        for await (const row of scan) {
          if (!options.json && rows === 0) line(Object.keys(row).join('\t'))
          line(options.json ? jsonLine(row) : Object.values(plainRow(row)).map(cell).join('\t'))
          if (++rows === options.limit || output.isClosed === true) break
        }
      }
      const query = columns === undefined ? {} : { columns }
      if (name === undefined) return await withTable(place, options, (table) => show(table.scan(query)))
      await withLog(place, options, async (log) => {
        await show((await log.topic<Record<string, unknown>>(name)).scan(query))
      })
    })

  withPlaceFlags(program.command('audit'))
    .description('compares tables with the ledger that was committed with their data; exit status 1 if one differs')
    .argument(...placeArgument)
    .argument('[topic]', 'name of a topic; default: all')
    .option('--deep', 'also makes the checksum of every row anew in files that the log did not write')
    .option('--json', 'one JSON object per topic')
    .action((place: string, name: string | undefined, options: PlaceFlags & { deep?: boolean; json?: boolean }) =>
      withLog(place, options, async (log) => {
        await eachTopic(name === undefined ? await log.topics() : [name], async (each) => {
          const report = await (await log.topic(each)).audit({ deep: options.deep ?? false })
          if (!report.clean) exitWith(1)
          if (options.json) line(jsonLine({ topic: each, ...report }))
          else auditLines(each, report).forEach(line)
        })
      }),
    )

  withPlaceFlags(program.command('attach'))
    .description(
      'whether tables are the history of their topics: intact, plausible or broken, and by which evidence; exit status 2 if one is broken',
    )
    .argument(...placeArgument)
    .argument('[topic]', 'name of a topic; default: all')
    .option('--adopt', 'also say what adopting those that are broken would do: reads who each row is')
    .option('--yes', 'with --adopt: do exactly that, in the log opened for writing')
    .option('--json', 'one JSON object per topic')
    .action(async (place: string, name: string | undefined, options: AttachOptions) => {
      if (options.yes && !options.adopt) throw invalid('OPTION', 'attach: --yes does what --adopt says: give both.')
      const fail = (topic: string, error: unknown): void => tell(topic, sentenceOf(error))
      await attach(place, name === undefined ? undefined : [name], options, { line, note, fail, exitWith })
    })

  withWalFlags(program.command('repair'), 'the folder of its write-ahead data, which a repair needs')
    .description(
      'what is damaged in a log that does not open, and what a repair gives up; exit status 1 if something is left',
    )
    .argument(...placeArgument)
    .option(
      '--yes',
      'do exactly that; what leaves the log is kept below log/repair, and in the folder of the write-ahead data below repair',
    )
    .option('--json', 'the plan as one JSON object')
    .action(async (where: string, options: PlaceFlags & { yes?: boolean; json?: boolean }) => {
      const { wal } = options
      const storage = options.storage === undefined ? undefined : await storageOf(options)
      const place = { where, wal, storage }
      const plan = await planPlaceRepair(place)
      if (options.json) line(jsonLine(plan))
      else repairLines(plan).forEach(line)
      const mustRestore = plan.damages.some(({ remedy }) => remedy === 'restore')
      const isDone = plan.isNeeded && options.yes === true
      if (isDone) await repairPlace(place, plan)
      const last = isDone ? 'Done.' : 'Run with --yes to do exactly this.'
      if (plan.isNeeded && !mustRestore && !options.json) line(last)
      if ((plan.isNeeded && !isDone) || mustRestore) exitWith(1)
    })

  withStorageFlag(program.command('verify'))
    .description(
      'reads a Parquet file, or all live data files of a table, with our reader and with hyparquet; exit status 1 if they differ, 2 if one cannot read it',
    )
    .argument('<place>', 'a Parquet file, or the folder of a table, by path or URL')
    .option('--limit <differences>', 'of each file show so many; all are counted', positiveInteger, 20)
    .option('--json', 'one JSON object per file')
    .action(async (place: string, options: PlaceFlags & { limit: number; json?: boolean }) => {
      let count = 0
      for await (const { file, verdict, error } of verifyPlace(place, {
        maxDifferences: options.limit,
        ...(options.storage === undefined ? {} : { storage: await storageOf(options) }),
      })) {
        count++
        if (verdict === undefined) {
          output.err(`moulin: ${file}: ${sentenceOf(error)}\n`)
          exitWith(2)
          continue
        }
        if (verdict.differenceCount > 0) exitWith(1)
        if (verdict.unread.length > 0) exitWith(2)
        if (options.json) line(jsonLine(verdict))
        else verdictLines(verdict, options.limit).forEach(line)
      }
      if (count === 0 && !options.json) line(`${place}: no data files`)
    })

  const stoppable: Stoppable = (work) => output.stoppable?.(work) ?? work(undefined)
  addDoctor(program, { line, note, exitWith, stoppable })
  addCatalog(program, { line, note, stoppable })
  return program
}

interface ScanFlags {
  readonly columns?: string
  readonly limit?: number
  readonly json?: boolean
}

/** Without the write-ahead data nobody knows where a topic ends, and what waits. */
function topicFacts(topic: Topic, isWhole: boolean) {
  const { name, id, incarnation, config } = topic
  const facts = { name, id, incarnation, table: config.table, partitions: topic.offsets(), ...topic.stats() }
  if (isWhole) return facts
  const partitions = facts.partitions.map((partition) => ({ ...partition, highWatermark: null }))
  return { ...facts, partitions, untieredBytes: null, untieredRecords: null, untieredAgeMs: null }
}

function topicLines(topic: Topic, isWhole: boolean): string[] {
  const head = `${topic.name}  (table ${topic.config.table}, ${topic.partitions} partitions, id ${topic.id})`
  return [
    head,
    ...topic.offsets().map(({ partition, start, highWatermark, frontier }) => {
      if (!isWhole)
        return `  partition ${partition}: in the table from ${start} to below ${frontier}; what is above is not seen`
      return `  partition ${partition}: offsets ${start} to ${highWatermark}, in the table below ${frontier}`
    }),
  ]
}

function auditLines(name: string, report: AuditReport): string[] {
  return [
    `${name}: ${report.clean ? 'clean' : 'NOT CLEAN'}`,
    ...report.partitions.map((p) => {
      const unseen = p.unseen === 0n ? '' : `, ${p.unseen} more that no reader sees`
      const counts = `${p.rows} of ${p.ledgerRows} rows, ${p.deleted} deleted, ${p.skipped} skipped${unseen}`
      return `  incarnation ${p.incarnation} partition ${p.partition}: ${counts}, checksum ${p.checksum} of ${p.ledgerChecksum}`
    }),
    ...report.gaps.map((gap) => `  gap ${gap.from} to ${gap.to} in partition ${gap.partition}: ${gap.reason}`),
    ...(report.deep === null ? [] : deepLines(report.deep)),
  ]
}

function deepLines(deep: DeepAudit): string[] {
  const { files, rows, mismatched, doubledRows, deletedRows, returnedRows, unproven } = deep
  const { deleted, altered, moved, doubled, returned } = deep
  const rangeLine = (what: string, { from, to, incarnation, partition }: AuditRange): string =>
    `  ${what} ${from} to ${to} in incarnation ${incarnation} partition ${partition}`
  return [
    `  files of others: ${files} with ${rows} rows checked, ${mismatched} not as they were, ${unproven} without a column that they need`,
    `  of all rows: ${deletedRows} deleted, ${doubledRows} doubled, ${returnedRows} deleted once and there again`,
    ...deleted.map((range) => rangeLine('deleted', range)),
    ...altered.map((range) => rangeLine('altered', range)),
    ...moved.map(({ origin, ...place }) => `  moved ${placeText(origin)} to ${placeText(place)}`),
    ...doubled.map((range) => rangeLine('doubled', range)),
    ...returned.map((range) => rangeLine('returned', range)),
  ]
}

const placeText = ({ incarnation, partition, offset }: AuditPlace): string =>
  `offset ${offset} in incarnation ${incarnation} partition ${partition}`

const remedies: Readonly<Record<Damage['remedy'], string>> = {
  'set aside': 'its good records move, the file is kept below log/wal/repair',
  rewrite: 'it is kept below log/repair and written anew from the write-ahead files',
  'pass over': 'the one before it counts, nothing to do',
  restore: 'it never changes: put a copy from any backup back',
}

function repairLines({ damages, givenUp, isNeeded }: RepairPlan): string[] {
  if (damages.length === 0 && !isNeeded) return ['nothing is damaged']
  return [
    ...damages.map(({ place, position, reason, remedy }) => {
      const where = position === null ? place : `${place} at position ${position}`
      return `${where}: ${reason} -> ${remedies[remedy]}`
    }),
    ...givenUp.map(({ topic, topicId, incarnation, partition, from, to, stranded }) => {
      const rest = stranded === 0 ? '' : `, ${stranded} whole sections behind the damage among them`
      const life = incarnation === 0 ? '' : ` incarnation ${incarnation}`
      return `GIVEN UP: ${topic ?? topicId}${life} partition ${partition}, offsets ${from} to ${to - 1n}${rest}; new records begin at ${from}`
    }),
  ]
}
