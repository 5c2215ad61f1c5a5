import { expect, it } from 'vitest'
import type { CatalogCapabilities } from './namespace.ts'
import { requireCapability } from './namespace.ts'

it('what a catalog does not have is unsupported by name, each by its own', () => {
  const capabilities = { register: false, rename: true, transactions: false, views: false, namespaceProperties: false }
  const catalog = { name: 'plain', capabilities }
  requireCapability(catalog, 'rename')
  for (const capability of [
    'register',
    'transactions',
    'views',
    'namespaceProperties',
  ] satisfies (keyof CatalogCapabilities)[]) {
    const context = { catalog: 'plain', capability }
    const refusal = expect.objectContaining({ kind: 'unsupported', code: 'CATALOG_CAPABILITY', context }) as Error
    expect(() => requireCapability(catalog, capability)).toThrow(refusal)
    expect(() => requireCapability(catalog, capability)).toThrow(`(${capability})`)
  }
})
