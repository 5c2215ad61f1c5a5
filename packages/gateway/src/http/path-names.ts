import { decodeNamespace, decodeSegment } from '@moulin/catalog/rest'

export interface PathNames {
  readonly namespace: readonly string[]
  readonly table: string
}

/** The names in a path, taken before anything of it is decoded. @throws `invalid` code `BAD_REQUEST`. */
export function pathNames(template: string, pathname: string): PathNames {
  const at = parts(template)
  const given = pathname.split('/')
  const part = (name: string): string | undefined => given[at.indexOf(name)]
  const namespace = part('{namespace}')
  const table = part('{table}')
  return {
    namespace: namespace === undefined ? [] : decodeNamespace(namespace),
    table: table === undefined ? '' : decodeSegment(table),
  }
}

/** As the router writes it. */
export function routerPath(template: string): string {
  return parts(template)
    .map((part) => part.replace(/^\{(.+)\}$/, ':$1'))
    .join('/')
}

/** A catalog of ours has no prefix. */
const parts = (template: string): readonly string[] => template.replace('/{prefix}', '').split('/')
