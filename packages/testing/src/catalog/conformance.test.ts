import { describe, expect, it } from 'vitest'
import { errorOf } from '../assertions.ts'
import { catalogChecks, catalogConformance, catalogConformanceChecks } from './conformance.ts'
import { folderChecks } from './folder-checks.ts'
import { namespaceFolderChecks } from './namespace-folder-checks.ts'
import { modelOptions, namesOptions, wrongCatalogs } from './wrong.ts'

// The models pass, so what fails below fails by its flaw.
catalogConformance({ describe, it }, modelOptions())
catalogConformance(
  { describe, it },
  { ...modelOptions(undefined, { namespaceProperties: false }), name: 'modelCatalog without properties of namespaces' },
)
catalogConformance({ describe, it }, namesOptions())
catalogConformance({ describe, it }, { ...namesOptions('namesCatalog with created namespaces'), namespaces: 'created' })

describe('catalogConformance', () => {
  const failed = new Set<string>()

  it.each(wrongCatalogs)('rejects a catalog that is wrong by $name', async ({ breaks, options }) => {
    const asked = catalogConformanceChecks(options).filter(({ skipped }) => skipped === undefined)
    for (const check of breaks) {
      const named = asked.filter(({ name }) => name.startsWith(check))
      const verdicts = await Promise.all(named.map(({ run }) => errorOf(run())))
      const names = named.filter((_, at) => verdicts[at] !== undefined).map(({ name }) => name)
      expect(names, check).not.toEqual([])
      for (const name of names) failed.add(name.replace(/ \(a store .*\)$/, ''))
    }
  })

  it('has no two checks of one name', () => {
    const names = catalogChecks.map(({ name }) => name)
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([])
  })

  it('tells which checks a catalog is not asked, and why', () => {
    const [first] = catalogChecks
    const options = { ...modelOptions(), cannot: { [first!.name]: 'it is made otherwise' } }
    const skipped = catalogConformanceChecks(options).filter((check) => check.skipped !== undefined)
    expect(skipped[0]).toMatchObject({ name: first!.name, skipped: 'it is made otherwise' })
    expect(new Set(skipped.slice(1).map((check) => check.skipped))).toEqual(
      new Set(['a name is a folder', 'no rename', 'no transactions']),
    )
  })

  // A check that no wrong catalog fails may be one that nothing can fail.
  it('has no check that none of them fails', () => {
    const names = [...catalogChecks, ...folderChecks, ...namespaceFolderChecks].map(({ name }) => name)
    expect(names.filter((name) => !failed.has(name)).join('\n')).toBe('')
  })
})
