import type { Command } from 'commander'
import { objectStoreCatalog } from '@moulin/catalog'
import { invalid, placeOf, silentLogger, systemRuntime } from '@moulin/core'
import type { ObjectStore, Runtime } from '@moulin/core'
import { nonNegative } from './cli-numbers.ts'
import { openPlace, placeArgument, storageOf, withWalFlags } from './cli-place.ts'
import type { PlaceFlags } from './cli-place.ts'
import { folderStore } from './embedded.ts'
import type { Stoppable } from './stoppable.ts'
import { layeredStore } from './store-adapters.ts'

interface CatalogFlags extends PlaceFlags {
  readonly listen: string
  readonly fresh?: boolean
  readonly maxStaleness: number
}

/** What the command needs of whoever runs it. */
export interface CatalogOutput {
  line(text: string): void
  note(sentence: string): void
  readonly stoppable: Stoppable
}

/** Adds the command `catalog`. */
export function addCatalog(program: Command, output: CatalogOutput): void {
  withWalFlags(program.command('catalog'))
    .description(
      'serves the tables of a place as an Iceberg REST catalog, for engines to read and write, until it is stopped',
    )
    .argument(...placeArgument)
    .option('--listen <address>', 'host:port of this machine alone; port 0 is any that is free', '127.0.0.1:8181')
    .option(
      '--fresh',
      'also open the log for writing, and have a table that is loaded hold what waits for longer than --max-staleness; refused while another writer has the log',
    )
    .option('--max-staleness <ms>', 'with --fresh: how long a record may wait for its table', nonNegative, 5_000)
    .action((place: string, flags: CatalogFlags) => output.stoppable((stop) => serve(place, flags, output, stop)))
}

async function serve(
  where: string,
  flags: CatalogFlags,
  { line, note }: CatalogOutput,
  stop: AbortSignal | undefined,
): Promise<void> {
  if (flags.fresh === true && flags.wal === undefined && placeOf('moulin', where).kind !== 'folder') {
    const message = 'catalog: --fresh needs the write-ahead data of a log in a bucket: give --wal DIR.'
    throw invalid('OPTION', message, { context: { option: '--wal' } })
  }
  // Loaded when it is asked for: nobody else needs a server.
  const { serveCatalog } = await import('@moulin/gateway')
  const runtime: Runtime = systemRuntime({ logger: silentLogger })
  const store = await storeAt(where, flags, runtime)
  const log = flags.fresh ? (await openPlace(where, flags, { access: 'read-write', tell: note })).log : undefined
  try {
    const server = await serveCatalog({
      catalog: objectStoreCatalog({ store, prefix: 'tables/', runtime }),
      stores: store,
      listen: flags.listen,
      // A folder's name is its table's, so every location but its own would be refused.
      overrideLocations: true,
      runtime,
      ...(log === undefined ? {} : { logs: [log], maxStalenessMs: flags.maxStaleness }),
    })
    line(`${server.url} serves the tables of ${where}${log === undefined ? '' : ', as fresh as its log'}`)
    await fired(stop)
    await server.close()
  } finally {
    await log?.close()
  }
}

async function storeAt(where: string, flags: CatalogFlags, runtime: Runtime): Promise<ObjectStore> {
  const place = placeOf('moulin', where)
  if (place.kind === 'folder') return folderStore(where, runtime)
  return layeredStore('moulin', { place, storage: await storageOf(flags), runtime })
}

/** Resolves once the signal fires; without one, never. */
function fired(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    signal?.addEventListener('abort', () => resolve(), { once: true })
  })
}
