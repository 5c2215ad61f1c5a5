import type { ManifestFile } from '@moulin/iceberg'

/** Manifests named, in all lists together, some 8 bytes each. Beyond it the oldest lists go, and are read again when they are wanted. */
const MAX_NAMED = 1_000_000

/**
 * Contents of manifest lists, by location: what is written once, and asked for again when its snapshot is forgotten. Lists
 * of neighbours name mostly the same manifests, and share what is known of them.
 */
export class ManifestLists {
  readonly #lists = new Map<string, readonly ManifestFile[]>()
  #last = new Map<string, ManifestFile>()
  #named = 0

  get(location: string): readonly ManifestFile[] | undefined {
    return this.#lists.get(location)
  }

  set(location: string, manifests: readonly ManifestFile[]): void {
    const shared = manifests.map((manifest) => this.#last.get(manifest.path) ?? manifest)
    this.#last = new Map(shared.map((manifest) => [manifest.path, manifest]))
    this.#remove(location)
    this.#lists.set(location, shared)
    this.#named += shared.length
    for (const oldest of this.#lists.keys()) {
      if (this.#named <= MAX_NAMED) return
      this.#remove(oldest)
    }
  }

  keepOnly(locations: ReadonlySet<string>): void {
    for (const location of this.#lists.keys()) if (!locations.has(location)) this.#remove(location)
  }

  #remove(location: string): void {
    this.#named -= this.#lists.get(location)?.length ?? 0
    this.#lists.delete(location)
  }
}
