import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RestCatalog } from './engines.ts'

let registered = 0

/**
 * What someone does who works on a table of the object-store catalog with an engine that must not write by folder: the newest
 * version of the metadata is registered in a catalog of their own, `work` is done there, under the name that it is given, and what
 * the table has become is copied back as the next version.
 */
export async function registeredElsewhere(
  { uri }: RestCatalog,
  folder: string,
  work: (table: string) => Promise<unknown>,
): Promise<void> {
  const namespace = `by_hand_${++registered}`
  const metadata = join(folder, 'metadata')
  const version = await newestVersion(metadata)
  await post(`${uri}/v1/namespaces`, { namespace: [namespace], properties: {} })
  await post(`${uri}/v1/namespaces/${namespace}/register`, {
    name: 'orders',
    'metadata-location': `file://${join(metadata, `v${version}.metadata.json`)}`,
  })
  await work(`${namespace}.orders`)
  const answer = await fetch(`${uri}/v1/namespaces/${namespace}/tables/orders`)
  const { 'metadata-location': result } = (await answer.json()) as { 'metadata-location': string }
  // Java spells it file:/…
  const bytes = await readFile(fileURLToPath(new URL(result)))
  await writeFile(join(metadata, `v${version + 1}.metadata.json`), bytes, { flag: 'wx' })
  await writeFile(join(metadata, 'version-hint.text'), String(version + 1))
}

async function newestVersion(metadata: string): Promise<number> {
  const versions = (await readdir(metadata)).map((name) => Number(/^v(\d+)\.metadata\.json$/.exec(name)?.[1] ?? 0))
  return Math.max(...versions)
}

async function post(url: string, body: object): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
  if (!answer.ok) throw new Error(`POST ${url}: ${answer.status} ${await answer.text()}`)
}
