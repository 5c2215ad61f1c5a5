import { createHash } from 'node:crypto'
import {
  corrupt,
  countField,
  isKind,
  isMoulinError,
  jsonInt64,
  loadStored,
  notFound,
  storedBytes,
  stringField,
  unsupported,
  type Codec,
  type CodecFormat,
  type Limits,
  type ObjectStore,
  type SchemaLedger,
  type SchemaLedgerEntry,
} from '@moulin/core'
import { schemaKind } from './stored-kinds.ts'

export const SCHEMAS = 'log/schemas/'
/** Version of the mapping from schema to columns. */
const MAPPING = 1

interface LedgerEntry extends SchemaLedgerEntry {
  /** Of the writer that made it. Of two entries with one id the older writer's was never used: it was fenced. */
  readonly epoch: bigint
}

/** The writer's side of the ledger. */
export interface WritableSchemaLedger extends SchemaLedger {
  /** Reads all entries. */
  load(): Promise<void>
  /** The id of this codec's definition; a new one if it is not known. Durable, and the fence checked, on return. */
  register(codec: Codec): Promise<number>
}

export interface SchemaLedgerOptions {
  readonly store: ObjectStore
  readonly limits: Limits
  readonly codecs: readonly CodecFormat[]
  /** Of the writer; asked at each registration. */
  readonly epoch: () => bigint
  readonly checkFence: () => Promise<void>
}

/** Every schema that the log's batches were ever encoded with, one object each, by the hash of format and definition. */
export function schemaLedger({ store, limits, codecs, epoch, checkFence }: SchemaLedgerOptions): WritableSchemaLedger {
  const entries = new Map<number, LedgerEntry>()
  const restored = new Map<number, Codec>()
  let registering: Promise<unknown> = Promise.resolve()

  const keep = (entry: LedgerEntry): void => {
    const known = entries.get(entry.id)
    if (known !== undefined && known.epoch >= entry.epoch) return
    entries.set(entry.id, entry)
    restored.delete(entry.id)
  }

  const load = async (): Promise<void> => {
    for await (const { key } of store.list({ prefix: SCHEMAS })) {
      const entry = await loadEntry(store, key, limits)
      if (entry !== undefined) keep(entry)
    }
  }

  const find = async (id: number): Promise<LedgerEntry> => {
    if (!entries.has(id)) await load()
    const entry = entries.get(id)
    if (entry !== undefined) return entry
    throw notFound('SCHEMA_ID', `The schema ledger of ${store.name} has no entry ${id}.`, { context: { id } })
  }

  const write = async (codec: Codec): Promise<number> => {
    const known = [...entries.values()].find((entry) => isSame(entry, codec))
    if (known !== undefined) return known.id
    const id = Math.max(0, ...entries.keys()) + 1
    const entry: LedgerEntry = {
      id,
      codec: codec.format,
      definition: codec.definition,
      sha256: sha256(codec.definition),
      mapping: MAPPING,
      epoch: epoch(),
    }
    const key = SCHEMAS + sha256(`${codec.format}\n${codec.definition}`)
    const bytes = storedBytes(schemaKind, { ...entry }, 2)
    try {
      await store.put(key, bytes, { mode: 'create' })
    } catch (error) {
      if (!isKind(error, 'exists') && !(isMoulinError(error) && error.outcome === 'unknown')) throw error
      const present = await loadEntry(store, key, limits)
      if (present === undefined) throw error
      keep(present)
      if (entries.get(present.id) === present || isSameEntry(entries.get(present.id), present)) {
        await checkFence()
        return present.id
      }
      // A fenced writer made it, under an id that means another schema: never used.
      // Beside it, never over it: an older writer that comes late could do the same to ours.
      await store.put(`${key}-${entry.epoch}`, bytes, { mode: 'create' })
    }
    await checkFence()
    keep(entry)
    return id
  }

  return {
    load,
    entry: find,
    async codec(id) {
      const known = restored.get(id)
      if (known !== undefined) return known
      const entry = await find(id)
      const format = codecs.find((candidate) => candidate.format === entry.codec)
      if (format === undefined) {
        throw unsupported(
          'CODEC_FORMAT',
          `Schema ${id} was written by the codec ${entry.codec}, which is not among the given codecs: ${codecs.map((codec) => codec.format).join(', ')}.`,
          { context: { id, codec: entry.codec } },
        )
      }
      const codec = format.restore(entry.definition)
      restored.set(id, codec)
      return codec
    },
    register(codec) {
      const id = registering.then(() => write(codec))
      registering = id.catch(() => undefined)
      return id
    },
  }
}

function isSame(entry: LedgerEntry, codec: Codec): boolean {
  return entry.codec === codec.format && entry.definition === codec.definition
}

function isSameEntry(a: LedgerEntry | undefined, b: LedgerEntry): boolean {
  return a !== undefined && a.codec === b.codec && a.definition === b.definition && a.epoch === b.epoch
}

/** @throws `corrupt` for one that is damaged. */
export async function loadEntry(store: ObjectStore, key: string, limits: Limits): Promise<LedgerEntry | undefined> {
  const json = await loadStored(store, schemaKind, key, limits.maxJsonBytes)
  if (json === undefined) return undefined
  const definition = stringField(json, 'definition', key)
  const hash = stringField(json, 'sha256', key)
  if (hash !== sha256(definition)) {
    throw corrupt('SCHEMA_HASH', `${key}: the definition does not have the SHA-256 that stands beside it.`, {
      context: { key },
    })
  }
  return {
    id: countField(json, 'id', key),
    codec: stringField(json, 'codec', key),
    definition,
    sha256: hash,
    mapping: countField(json, 'mapping', key),
    epoch: jsonInt64(json['epoch'], `epoch in ${key}`),
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
