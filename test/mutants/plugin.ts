import { fileURLToPath } from 'node:url'
import type { Plugin } from 'vite'
import { mutants } from './mutants.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Plants the bug named by `MOULIN_MUTANT` while vitest loads the sources. Without the variable it does nothing. */
export function mutantPlugin(name: string | undefined): Plugin[] {
  if (name === undefined) return []
  const mutant = mutants.find((each) => each.name === name)
  if (mutant === undefined) throw new Error(`There is no mutant called ${name}.`)
  return [
    {
      name: 'moulin-mutant',
      enforce: 'pre',
      transform(code, id) {
        if (id.split('?')[0] !== root + mutant.file) return undefined
        if (code.split(mutant.original).length !== 2) {
          throw new Error(`MUTANT NOT PLANTED: ${mutant.file} does not hold its patch point exactly once.`)
        }
        return { code: code.replace(mutant.original, () => mutant.planted), map: null }
      },
    },
  ]
}
