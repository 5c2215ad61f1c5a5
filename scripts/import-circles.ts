/**
 * The sets of files that reach each other by their imports, types included: Tarjan's components of more than one file.
 * @param imports By file: the files that it imports.
 */
export const circlesOf = (imports: ReadonlyMap<string, readonly string[]>): string[][] => {
  const circles: string[][] = []
  const order = new Map<string, number>()
  const path: string[] = []

  /** The earliest file on the path that `file` leads back to. */
  const visit = (file: string): number => {
    const own = order.size
    order.set(file, own)
    const start = path.push(file) - 1
    let earliest = own
    for (const next of imports.get(file) ?? []) {
      const seen = order.get(next)
      if (seen === undefined) earliest = Math.min(earliest, visit(next))
      else if (path.includes(next)) earliest = Math.min(earliest, seen)
    }
    if (earliest === own) {
      const component = path.splice(start)
      if (component.length > 1) circles.push(component.sort())
    }
    return earliest
  }
  for (const file of imports.keys()) if (!order.has(file)) visit(file)
  return circles
}
