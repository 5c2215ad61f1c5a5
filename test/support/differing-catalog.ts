import { catalogConformanceChecks } from '@moulin/testing'
import type { CatalogConformanceOptions } from '@moulin/testing'
import { describe, it } from 'vitest'

/** Names of checks, and why a catalog does not pass them. */
type Reasons = Readonly<Record<string, string>>

/**
 * The catalog conformance suite over a catalog that differs from it in what is listed.
 * @param differences That it never passes: one that passes one day fails, and is to be taken off the list.
 * @param tossed That it passes or not as it happens.
 */
export function judgeDiffering(options: CatalogConformanceOptions, differences: Reasons, tossed: Reasons = {}): void {
  describe(options.name, () => {
    const checks = catalogConformanceChecks(options)
    for (const { name, run } of checks) {
      if (tossed[name] !== undefined) it.skip(`${name}: ${tossed[name]}`, run)
      else if (differences[name] !== undefined) it.fails(`${name}: ${differences[name]}`, run)
      else it(name, run)
    }
    it('has no difference under a name that no check has', ({ expect }) => {
      const names = new Set(checks.map(({ name }) => name))
      expect([...Object.keys(differences), ...Object.keys(tossed)].filter((name) => !names.has(name))).toEqual([])
    })
  })
}
