import { link, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RestCatalog } from './engines.ts'

let registered = 0

/** A table of the object-store catalog in a catalog of someone's own. */
export interface RegisteredTable {
  /** Its name there. */
  readonly name: string
  /**
   * Copies what the table has become since the last time back as the next version, and moves the hint. Returns its metadata as JSON;
   * undefined where nothing has changed. @throws where the version exists: somebody else has committed meanwhile.
   */
  publish(): Promise<string | undefined>
}

/**
 * What someone does who works on a table of the object-store catalog with an engine that must not write by folder: the newest
 * version of the metadata is registered in a catalog of their own.
 */
export async function registerTable({ uri }: RestCatalog, folder: string): Promise<RegisteredTable> {
  const namespace = `by_hand_${++registered}`
  const metadata = join(folder, 'metadata')
  let version = await newestVersion(metadata)
  await post(`${uri}/v1/namespaces`, { namespace: [namespace], properties: {} })
  const location = async (): Promise<string> => {
    const answer = await fetch(`${uri}/v1/namespaces/${namespace}/tables/orders`)
    return ((await answer.json()) as { 'metadata-location': string })['metadata-location']
  }
  await post(`${uri}/v1/namespaces/${namespace}/register`, {
    name: 'orders',
    'metadata-location': `file://${join(metadata, `v${version}.metadata.json`)}`,
  })
  let published = await location()
  return {
    name: `${namespace}.orders`,
    async publish() {
      const present = await location()
      if (present === published) return undefined
      // Java spells it file:/…
      const bytes = await readFile(fileURLToPath(new URL(present)))
      // Whole at once, for those who read meanwhile.
      const written = join(metadata, '.published')
      await writeFile(written, bytes)
      await link(written, join(metadata, `v${++version}.metadata.json`))
      await rm(written)
      await writeFile(written, String(version))
      await rename(written, join(metadata, 'version-hint.text'))
      published = present
      return bytes.toString()
    },
  }
}

/** Registers the table, lets `work` be done under the name that it is given, and copies back what the table has become. */
export async function registeredElsewhere(
  catalog: RestCatalog,
  folder: string,
  work: (table: string) => Promise<unknown>,
): Promise<void> {
  const table = await registerTable(catalog, folder)
  await work(table.name)
  await table.publish()
}

export async function newestVersion(metadata: string): Promise<number> {
  const versions = (await readdir(metadata)).map((name) => Number(/^v(\d+)\.metadata\.json$/.exec(name)?.[1] ?? 0))
  return Math.max(...versions)
}

async function post(url: string, body: object): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
  if (!answer.ok) throw new Error(`POST ${url}: ${answer.status} ${await answer.text()}`)
}
