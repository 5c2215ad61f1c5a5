import type { ManifestRoom } from '@moulin/iceberg'
import { Room } from './room.ts'

/** What is kept of manifests, for all tables in one store: of kinds that only plans know. */
export interface KeptManifests {
  readonly files: Room<unknown>
  readonly facts: Room<unknown>
}

/** @param maxBytes Of memory, about. */
export function keptManifests(maxBytes: number): KeptManifests {
  const factBytes = Math.ceil(maxBytes / 8)
  return { files: new Room(maxBytes - factBytes), facts: new Room(factBytes) }
}

/** One table's part of the room: each is read with the credentials of its own table. */
export function manifestRoom({ files, facts }: KeptManifests): ManifestRoom {
  const shelf = (room: Room<unknown>): ManifestRoom['files'] => {
    const own = room.share()
    return {
      get: (name) => room.get(own + name),
      add: (name, value, sizeBytes) => room.add(own + name, value, sizeBytes),
    }
  }
  return { files: shelf(files), facts: shelf(facts) }
}
