import { textBuffer } from '../bytes/text-buffer.ts'

/** Up to here comparing each with each costs less than a set. */
const FEW_KEYS = 16

/**
 * Where the keys of the maps lie that are being read, innermost last, to tell whether one comes twice: then the bytes
 * are not what an encoder of a map gives. No text is made for maps of a usual size.
 */
export class MapKeys {
  length = 0
  #places = new Int32Array(64)

  push(start: number, end: number): void {
    const at = this.length * 2
    if (at === this.#places.length) {
      const larger = new Int32Array(at * 2)
      larger.set(this.#places)
      this.#places = larger
    }
    this.#places[at] = start
    this.#places[at + 1] = end
    this.length++
  }

  /** Ends the map whose keys begin at `base`: takes them away and tells whether two of them are the same bytes. */
  endMap(bytes: Uint8Array, base: number): boolean {
    const end = this.length
    this.length = base
    return end - base <= FEW_KEYS ? this.#repeatsFew(bytes, base, end) : this.#repeatsMany(bytes, base, end)
  }

  #repeatsFew(bytes: Uint8Array, base: number, end: number): boolean {
    const places = this.#places
    for (let one = base; one < end; one++) {
      const start = places[one * 2]!
      const size = places[one * 2 + 1]! - start
      for (let other = one + 1; other < end; other++) {
        const otherStart = places[other * 2]!
        if (places[other * 2 + 1]! - otherStart !== size) continue
        let at = 0
        while (at < size && bytes[start + at] === bytes[otherStart + at]) at++
        if (at === size) return true
      }
    }
    return false
  }

  // V8 seeds the hashes of its strings, so nobody can choose keys that fall on one another.
  #repeatsMany(bytes: Uint8Array, base: number, end: number): boolean {
    const text = textBuffer(bytes)
    const seen = new Set<string>()
    for (let key = base; key < end; key++) {
      seen.add(text.latin1Slice(this.#places[key * 2]!, this.#places[key * 2 + 1]!))
    }
    return seen.size < end - base
  }
}
