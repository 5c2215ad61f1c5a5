import { unsupported } from '@moulin/core'

/**
 * An optional peer, loaded when it is first asked for.
 * @throws `unsupported` code `PACKAGE_MISSING`, naming the package to install; whatever else stops it from loading.
 */
export async function loadPackage<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    const message = `A second opinion on Parquet needs the package ${name}, which is not installed: npm install ${name}.`
    throw unsupported('PACKAGE_MISSING', message, { context: { package: name }, cause })
  }
}
