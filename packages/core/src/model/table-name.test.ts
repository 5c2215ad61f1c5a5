import { describe, expect, it } from 'vitest'
import { checkNamespace, checkTableIdentifier, namespaceText, tableIdentifier, tableText } from './table-name.ts'

describe('table names', () => {
  it('are namespace levels and a name, split at dots', () => {
    const table = tableIdentifier('eu.shop-1.orders_2')
    expect(table).toEqual({ namespace: ['eu', 'shop-1'], name: 'orders_2' })
    expect(tableText(table)).toBe('eu.shop-1.orders_2')
  })

  it('are refused without a namespace, with too many levels, and for what is no folder', () => {
    const long = 'x'.repeat(256)
    const deep = Array.from({ length: 18 }, () => 'a').join('.')
    for (const text of ['', 'flat', '.a', 'a.', 'a..b', 'a.b c', `a.${long}`, deep]) {
      expect(() => tableIdentifier(text), text).toThrow(
        expect.objectContaining({ kind: 'invalid', code: 'TABLE_NAME', context: { table: text } }) as Error,
      )
    }
    expect(tableIdentifier(deep.slice(2)).namespace).toHaveLength(16)
    expect(() => checkTableIdentifier({ namespace: ['a.b'], name: 'c' })).toThrow('"a.b"')
  })

  it('have namespaces by the same rule, which are refused as such', () => {
    expect(checkNamespace(['eu', 'shop-1'])).toEqual(['eu', 'shop-1'])
    expect(checkNamespace(Array<string>(16).fill('a'))).toHaveLength(16)
    for (const levels of [[], ['a', ''], ['a.b'], ['a', '..'], ['.namespace'], Array<string>(17).fill('a')]) {
      const context = { namespace: namespaceText(levels) }
      expect(() => checkNamespace(levels), levels.join()).toThrow(
        expect.objectContaining({ kind: 'invalid', code: 'NAMESPACE_NAME', context }) as Error,
      )
    }
    expect(() => checkNamespace(['eu', 'a b'])).toThrow('"a b"')
  })
})
