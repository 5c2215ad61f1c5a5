import { createHash } from 'node:crypto'
import {
  corrupt,
  countField,
  formatCaps,
  jsonInt64,
  loadAnyVersion,
  mayBeThere,
  notFound,
  storedBytes,
  stringField,
  unsupported,
  type Codec,
  type CodecFormat,
  type JsonObject,
  type ObjectStore,
  type SchemaFieldId,
  type SchemaLedger,
  type SchemaLedgerEntry,
} from '@moulin/core'
import { checkRegistry, identityText, parseFieldIds, parseRegistry, registryToJson } from './registry-identity.ts'
import { withWayBack } from './stored-damage.ts'
import { schemaKind } from './stored-kinds.ts'

export const SCHEMAS = 'log/schemas/'
/** Version of the mapping from schema to columns. */
const MAPPING = 1

/** What an entry of any format says. */
interface AnyEntry {
  readonly id: number
  /** Of the writer that made it. Of two entries with one id the older writer's was never used: it was fenced. */
  readonly epoch: bigint
  /** Undefined in one that needs a newer reader: only who wants this entry is refused. */
  readonly read: SchemaLedgerEntry | undefined
  readonly refusal: Error | undefined
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
  readonly codecs: readonly CodecFormat[]
  /** Of a codec's columns, as the cold tier would ask for them. */
  readonly fieldIds: (codec: Codec) => readonly SchemaFieldId[] | null
  /** Of the writer; asked at each registration. */
  readonly epoch: () => bigint
  readonly checkFence: () => Promise<void>
}

/** Every schema that the log's batches were ever encoded with, one object each, by the hash of its identity. */
export function schemaLedger({
  store,
  codecs,
  fieldIds,
  epoch,
  checkFence,
}: SchemaLedgerOptions): WritableSchemaLedger {
  const entries = new Map<number, AnyEntry>()
  const restored = new Map<number, Codec>()
  let registering: Promise<unknown> = Promise.resolve()

  const keep = (entry: AnyEntry): void => {
    const known = entries.get(entry.id)
    if (known !== undefined && known.epoch >= entry.epoch) return
    entries.set(entry.id, entry)
    restored.delete(entry.id)
  }

  const load = async (): Promise<void> => {
    for await (const { key } of store.list({ prefix: SCHEMAS })) {
      const entry = await withWayBack(loadEntry(store, key))
      if (entry !== undefined) keep(entry)
    }
  }

  const find = async (id: number): Promise<SchemaLedgerEntry> => {
    if (!entries.has(id)) await load()
    const { read, refusal } = entries.get(id) ?? {}
    if (refusal !== undefined) throw refusal
    if (read !== undefined) return read
    throw notFound('SCHEMA_ID', `The schema ledger of ${store.name} has no entry ${id}.`, { context: { id } })
  }

  const write = async (codec: Codec): Promise<number> => {
    checkRegistry(codec.registry)
    const identity = identityText(codec)
    const known = [...entries.values()].find(({ read }) => read !== undefined && identityOf(read) === identity)
    if (known !== undefined) return known.id
    const next = (): AnyEntry & { readonly read: SchemaLedgerEntry } => {
      const id = Math.max(0, ...entries.keys()) + 1
      const { format, definition, registry } = codec
      const hash = sha256(definition)
      const read = { id, codec: format, definition, sha256: hash, registry, mapping: MAPPING, ids: fieldIds(codec) }
      return { id, epoch: epoch(), read, refusal: undefined }
    }
    let entry = next()
    const key = SCHEMAS + sha256(identity)
    try {
      await store.put(key, entryBytes(entry), { mode: 'create' })
    } catch (error) {
      if (!mayBeThere(error)) throw error
      const present = await withWayBack(loadEntry(store, key))
      if (present === undefined) throw error
      keep(present)
      if (isSameEntry(entries.get(present.id), present)) {
        await checkFence()
        return present.id
      }
      // A fenced writer made it, under an id that means another schema: never used. Or a newer one that we cannot read.
      // Beside it, never over it: an older writer that comes late could do the same to ours.
      entry = next()
      await store.put(`${key}-${entry.epoch}`, entryBytes(entry), { mode: 'create' })
    }
    await checkFence()
    keep(entry)
    return entry.id
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
      const codec = format.restore(entry.definition, entry.registry)
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

function identityOf({ codec, definition, registry }: SchemaLedgerEntry): string {
  return identityText({ format: codec, definition, ...(registry && { registry }) })
}

function isSameEntry(a: AnyEntry | undefined, b: AnyEntry): boolean {
  if (a?.read === undefined || b.read === undefined) return false
  return identityOf(a.read) === identityOf(b.read) && a.epoch === b.epoch
}

function entryBytes({ id, read, epoch }: AnyEntry & { readonly read: SchemaLedgerEntry }): Uint8Array {
  const { codec, definition, sha256, registry, mapping, ids } = read
  const members = { id, codec, definition, sha256, registry: registryToJson(registry), mapping, ids, epoch }
  return storedBytes(schemaKind, members, 2)
}

/** @throws `corrupt` for one that is damaged. */
export async function loadEntry(store: ObjectStore, key: string): Promise<AnyEntry | undefined> {
  const stored = await loadAnyVersion(store, schemaKind, key, formatCaps.maxJsonBytes)
  if (stored === undefined) return undefined
  const { json, refusal } = stored
  // These two every format keeps, so that no id is given twice.
  const id = countField(json, 'id', key)
  const epoch = jsonInt64(json['epoch'], `epoch in ${key}`)
  return { id, epoch, read: refusal === undefined ? parseEntry(json, id, key) : undefined, refusal }
}

function parseEntry(json: JsonObject, id: number, key: string): SchemaLedgerEntry {
  const definition = stringField(json, 'definition', key)
  const hash = stringField(json, 'sha256', key)
  if (hash !== sha256(definition)) {
    throw corrupt('SCHEMA_HASH', `${key}: the definition does not have the SHA-256 that stands beside it.`, {
      context: { key },
    })
  }
  return {
    id,
    codec: stringField(json, 'codec', key),
    definition,
    sha256: hash,
    registry: parseRegistry(json['registry'], key),
    mapping: countField(json, 'mapping', key),
    ids: parseFieldIds(json['ids'], key),
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
