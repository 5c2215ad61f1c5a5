import { describe, expect, it } from 'vitest'
import { catalogConformance, catalogConformanceChecks } from './catalog-conformance.ts'
import { errorOf } from './assertions.ts'
import { modelOptions, wrongCatalogs } from './catalog-wrong.ts'

// The model passes, so what fails below fails by its flaw.
catalogConformance({ describe, it }, modelOptions())
catalogConformance(
  { describe, it },
  { ...modelOptions(undefined, { namespaceProperties: false }), name: 'modelCatalog without properties of namespaces' },
)

describe('catalogConformance', () => {
  it.each(wrongCatalogs)('rejects a catalog that is wrong by $name: $breaks', async ({ breaks, options }) => {
    const named = catalogConformanceChecks(options).filter(({ name }) => name.startsWith(breaks))
    expect(named.length).toBeGreaterThan(0)
    const verdicts = await Promise.all(named.map(({ run }) => errorOf(run())))
    expect(verdicts.filter((error) => error !== undefined).map(String)).not.toEqual([])
  })
})
