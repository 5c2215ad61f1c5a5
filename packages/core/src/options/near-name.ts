/** The one of `names` that was probably meant, if there is one: a few letters off, or the same but for case and signs. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  if (name.length > 64) return undefined
  const wanted = plain(name)
  let best: { readonly name: string; readonly edits: number } | undefined
  for (const candidate of names) {
    const known = plain(candidate)
    const isPart = wanted.length >= 4 && (known.startsWith(wanted) || wanted.startsWith(known))
    const edits = isPart ? 1 : editsBetween(wanted, known)
    if (edits <= Math.max(1, Math.floor(known.length / 3)) && edits < (best?.edits ?? Infinity))
      best = { name: candidate, edits }
  }
  return best?.name
}

const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '')

/** Letters to put in, leave out, change or swap with their neighbour (optimal string alignment). */
function editsBetween(a: string, b: string): number {
  let above: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1]
      let edits = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (isSame ? 0 : 1))
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (isSwap) edits = Math.min(edits, above[j - 2]! + 1)
      next.push(edits)
    }
    above = row
    row = next
  }
  return row[b.length]!
}
