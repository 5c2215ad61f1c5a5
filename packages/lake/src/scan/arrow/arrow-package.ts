import { unsupported } from '@moulin/core'
import type * as apacheArrow from 'apache-arrow'

export type Arrow = typeof apacheArrow

/**
 * The package apache-arrow, an optional peer: loaded when Arrow is first asked for.
 * @throws `unsupported` code `ARROW_MISSING`.
 */
export async function loadArrow(load: () => Promise<Arrow> = () => import('apache-arrow')): Promise<Arrow> {
  try {
    return await load()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    const message = 'Arrow output needs the package apache-arrow, which is not installed: npm install apache-arrow.'
    throw unsupported('ARROW_MISSING', message, { cause })
  }
}
