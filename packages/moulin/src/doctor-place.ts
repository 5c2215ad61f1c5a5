import { getIfThere, invalid, isKind, listInOrder, notFound, placeOf } from '@moulin/core'
import type { BucketFacts, Files, ObjectStore, Runtime, StorePlace } from '@moulin/core'
import { fileSystem, prefix } from '@moulin/storage'
import type { StorageOptions } from './store-adapters.ts'
import { bucketFacts, layeredStore, urlOf } from './store-adapters.ts'

/** A place that is examined. */
export interface Patient {
  readonly name: string
  readonly place: StorePlace
  /** The whole place, to be read only. */
  readonly whole: ObjectStore
  /** What lies below `base` of it, to be written. */
  readonly room: ObjectStore
  facts(): Promise<BucketFacts | undefined>
  /** Takes away all that lies in the room. What stays is told. */
  clear(): Promise<readonly string[]>
}

export interface PatientRequest {
  readonly where: string | URL
  /** Ends in a slash. */
  readonly base: string
  readonly storage: StorageOptions
  readonly runtime: Runtime
}

/** @throws `not-found` for a folder that does not exist; what opening a bucket's store throws. */
export async function patientAt({ where, base, storage, runtime }: PatientRequest): Promise<Patient> {
  const place = placeOf('doctor', where)
  if (place.kind === 'folder') {
    if (Object.keys(storage).length === 0) return inFolder(place, base, runtime)
    throw invalid('OPTION', 'doctor: storage is of a bucket, and a folder has none: leave it out.', {
      context: { option: 'storage' },
    })
  }
  const whole = await layeredStore('doctor', { place, storage, runtime })
  const room = prefix(whole, base)
  return {
    name: urlOf(place),
    place,
    whole,
    room,
    facts: () => bucketFacts('doctor', { place, storage, runtime }),
    async clear() {
      const { failed } = await room.deleteMany(await keysOf(room))
      return failed.length > 0 ? failed.map(({ key }) => base + key) : (await keysOf(room)).map((key) => base + key)
    },
  }
}

/** What the place holds: a log, by its first object; the key of something else; nothing, but for what a doctor or a probe left. */
export async function contentsOf(
  { whole }: Patient,
  ignored: string,
): Promise<{ readonly holds: 'nothing' | 'a log' | 'something else'; readonly key?: string }> {
  // Not its head, whose answer does not say what is wrong with region or credentials.
  if ((await getIfThere(whole, 'moulin.json')) !== undefined) return { holds: 'a log' }
  for await (const { key } of whole.list()) {
    const isLeft = ['log/probe/', ignored].some((room) => key.startsWith(room) && ownPart.test(key.slice(room.length)))
    if (!isLeft) return { holds: 'something else', key }
  }
  return { holds: 'nothing' }
}

/** What a doctor, or a probe, calls its part of a room. */
const ownPart = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\//

async function inFolder(
  place: StorePlace & { readonly kind: 'folder' },
  base: string,
  runtime: Runtime,
): Promise<Patient> {
  const { files } = runtime
  const stat = await files.stat(place.dir)
  if (stat?.kind !== 'directory')
    throw notFound('NO_FOLDER', `doctor: there is no folder ${place.dir}: make it first, or check the path.`, {
      context: { dir: place.dir },
    })
  const dir = await files.realpath(place.dir)
  // A root of its own: whatever the store puts beside its objects lies in it, too.
  const roomDir = `${dir}/${base.slice(0, -1)}`
  const made = await missingFolders(files, dir, base)
  return {
    name: dir,
    place,
    whole: fileSystem({ root: dir, runtime }),
    room: fileSystem({ root: roomDir, runtime }),
    facts: async () => undefined,
    async clear() {
      await removeTree(files, roomDir)
      for (const folder of made) await files.rmdir(folder).catch(unlessInUse)
      return (await files.stat(roomDir)) === undefined ? [] : [roomDir]
    },
  }
}

/** Those on the way to the room that are not there yet, the deepest first. */
async function missingFolders(files: Files, dir: string, base: string): Promise<string[]> {
  const missing: string[] = []
  let path = dir
  for (const name of base.split('/').slice(0, -2)) {
    path = `${path}/${name}`
    if ((await files.stat(path)) === undefined) missing.unshift(path)
    else await requirePlain(files, path)
  }
  return missing
}

/** What the doctor writes behind a link would lie somewhere else, and no store of a log follows one. */
async function requirePlain(files: Files, path: string): Promise<void> {
  const real = await files.realpath(path)
  if (real === path) return
  const message = `doctor: ${path} is in truth ${real}: a log follows no symbolic links. Name the folder itself.`
  throw invalid('NOT_A_PLAIN_PATH', message, { context: { path, real } })
}

async function removeTree(files: Files, path: string): Promise<void> {
  if ((await files.stat(path)) === undefined) return
  for (const { name, kind } of await files.readdir(path)) {
    if (kind === 'directory') await removeTree(files, `${path}/${name}`)
    else await files.unlink(`${path}/${name}`)
  }
  await files.rmdir(path)
}

// A log that was opened meanwhile has put something there.
function unlessInUse(error: unknown): void {
  if (!isKind(error, 'exists') && !isKind(error, 'not-found')) throw error
}

async function keysOf(store: ObjectStore): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of listInOrder(store)) keys.push(key)
  return keys
}
