import type { ManifestFile } from '@moulin/iceberg'

/** Beyond it the oldest go, and are read again when they are wanted. */
const MAX_LISTS = 4096

/**
 * Contents of manifest lists, by location: what is written once, and asked for again when its snapshot is forgotten. Lists
 * of neighbours name mostly the same manifests, and share what is known of them.
 */
export class ManifestLists {
  readonly #lists = new Map<string, readonly ManifestFile[]>()
  #last = new Map<string, ManifestFile>()

  get(location: string): readonly ManifestFile[] | undefined {
    return this.#lists.get(location)
  }

  set(location: string, manifests: readonly ManifestFile[]): void {
    const shared = manifests.map((manifest) => this.#last.get(manifest.path) ?? manifest)
    this.#last = new Map(shared.map((manifest) => [manifest.path, manifest]))
    this.#lists.set(location, shared)
    for (const [oldest] of this.#lists) {
      if (this.#lists.size <= MAX_LISTS) return
      this.#lists.delete(oldest)
    }
  }

  keepOnly(locations: ReadonlySet<string>): void {
    for (const location of this.#lists.keys()) if (!locations.has(location)) this.#lists.delete(location)
  }
}
