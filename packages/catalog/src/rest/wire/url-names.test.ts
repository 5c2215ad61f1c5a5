import { describe, expect, it } from 'vitest'
import { routePath, routes } from './routes.ts'
import { decodeNamespace, decodeSegment, encodeNamespace, namespaceParameter, parentNamespace } from './url-names.ts'

describe('names in URLs', () => {
  it.each([
    [['shop'], 'shop'],
    [['shop', 'eu'], 'shop%1Feu'],
    [['a b', 'c+d', 'e/f', 'g.h'], 'a%20b%1Fc%2Bd%1Fe%2Ff%1Fg.h'],
    [['größe', '表'], 'gr%C3%B6%C3%9Fe%1F%E8%A1%A8'],
  ])('go there and back: %j', (namespace, text) => {
    expect(encodeNamespace(namespace)).toBe(text)
    expect(decodeNamespace(text)).toEqual(namespace)
    expect(parentNamespace(namespaceParameter(namespace))).toEqual(namespace)
  })

  it('are split at the separator that the server names, or at the default one where that occurs', () => {
    expect(encodeNamespace(['a', 'b'], '%2E')).toBe('a%2Eb')
    expect(decodeNamespace('a%2Eb', '%2E')).toEqual(['a', 'b'])
    expect(decodeNamespace('a%1fb%2Ec', '%2E')).toEqual(['a', 'b.c'])
    expect(namespaceParameter(['a', 'b'], '%2E')).toBe('a.b')
    expect(parentNamespace('a.b', '%2E')).toEqual(['a', 'b'])
    expect(parentNamespace('a\u001Fb.c', '%2E')).toEqual(['a', 'b.c'])
    expect(parentNamespace('')).toEqual([])
  })

  it('may have blanks as a form does', () => {
    expect(decodeSegment('my+table%2B')).toBe('my table+')
    expect(() => decodeSegment('%zz')).toThrow(expect.objectContaining({ kind: 'invalid', code: 'BAD_REQUEST' }))
  })

  it('make the path of a request', () => {
    const parameters = { prefix: 'arn%3Aaws%2Fx|y', namespace: ['a', 'b'], table: 'c d' }
    expect(routePath(routes.loadTable, parameters)).toBe('/v1/arn%3Aaws%2Fx%7Cy/namespaces/a%1Fb/tables/c%20d')
    expect(routePath(routes.loadTable, { namespace: ['$&'], table: '$1' })).toBe('/v1/namespaces/%24%26/tables/%241')
    expect(routePath(routes.listNamespaces, { prefix: 'ws/main' })).toBe('/v1/ws/main/namespaces')
    for (const prefix of ['../other', 'a/%2E%2e/b', '.']) {
      expect(() => routePath(routes.listNamespaces, { prefix })).toThrow(expect.objectContaining({ code: 'PREFIX' }))
    }
  })
})
