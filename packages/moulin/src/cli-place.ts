import type { Command } from 'commander'
import { invalid, parseJson, placeOf, silentLogger, systemRuntime } from '@moulin/core'
import type { Log } from '@moulin/core'
import { openTable } from '@moulin/lake'
import type { OpenTable } from '@moulin/lake'
import { fileWal } from '@moulin/log'
import { openTables } from './bucket-log.ts'
import { catalogOf, withCatalogFlags } from './cli-catalog.ts'
import type { CatalogFlags } from './cli-catalog.ts'
import { openLog } from './open-log.ts'
import type { PlaceOptions } from './place-options.ts'
import type { StorageOptions } from './store-adapters.ts'

/** What the command line says of a place, beside the place. */
export interface PlaceFlags extends CatalogFlags {
  /** Folder of the write-ahead data of a log in a bucket. */
  readonly wal?: string
  /** JSON, or `@` and the path of a file of it. */
  readonly storage?: string
}

export const placeArgument = [
  '<place>',
  'of the log: a folder, s3://bucket/prefix, gs://… or az://account/container/…',
] as const

/** Gives the command the options of {@link PlaceFlags}. */
export function withPlaceFlags(command: Command): Command {
  return withCatalogFlags(withWalFlags(command))
}

/** The same for what works on the place's own catalog alone. */
export function withWalFlags(
  command: Command,
  wal = 'the folder of its write-ahead data; without it, hot records are not seen',
): Command {
  return withStorageFlag(command).option('--wal <dir>', `of a log in a bucket: ${wal}`)
}

export function withStorageFlag(command: Command): Command {
  return command.option(
    '--storage <json>',
    'of a bucket: options of its adapter, \'{"listOrder":"none"}\'; @FILE reads them from a file, where secrets belong',
  )
}

/** Opens what lies at the place as the command line is told to. `isWhole`: with all records, hot ones too. */
export async function openPlace(
  where: string,
  { wal, ...flags }: PlaceFlags,
  { access, tell }: { readonly access: 'read-write' | 'read-only'; tell(sentence: string): void },
): Promise<{ readonly log: Log; readonly isWhole: boolean }> {
  // What goes wrong is told in sentences of ours.
  const shared = { access, logger: silentLogger, ...catalogOf(flags, process.env) }
  const place = placeOf('openLog', where)
  const options: PlaceOptions = flags.storage === undefined ? shared : { ...shared, storage: await storageOf(flags) }
  if (place.kind !== 'folder' && wal === undefined && access === 'read-only') {
    const log = await openTables(place, options)
    tell(`${where}: read without --wal DIR: records that are in no table yet are not seen`)
    return { log, isWhole: false }
  }
  const log = await openLog(where, { ...options, ...(wal === undefined ? {} : { wal: fileWal({ dir: wal }) }) })
  return { log, isWhole: true }
}

/** @throws `invalid` code `OPTION`, which does not show what may hold a secret. */
export async function storageOf({ storage: text }: PlaceFlags): Promise<StorageOptions> {
  if (text === undefined) return {}
  const json = text.startsWith('@') ? await textOfFile(text.slice(1)) : text
  let value: unknown
  try {
    value = parseJson(json, '--storage')
  } catch {
    value = undefined
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as StorageOptions
  throw invalid('OPTION', '--storage must be an object in JSON.', { context: { option: '--storage' } })
}

// What is said of the command line is seen by every other process of the machine.
async function textOfFile(path: string): Promise<string> {
  const { files } = systemRuntime()
  const file = await files.open(path, 'read')
  try {
    return new TextDecoder().decode(await file.read(0, await file.size()))
  } finally {
    await file.close()
  }
}

/** Opens a table that no log need have, by its name in the catalog. */
export async function withTable(
  table: string,
  flags: PlaceFlags,
  use: (table: OpenTable) => Promise<void>,
): Promise<void> {
  const found = catalogOf(flags, process.env)
  if (found === undefined) throw invalid('OPTION', 'scan: name the topic after the place, or give --catalog URI.')
  const opened = await openTable({ ...found, table })
  try {
    await use(opened)
  } finally {
    await opened.close()
  }
}
