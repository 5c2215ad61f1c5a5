/**
 * Writes the golden folders of a version that it does not have yet, and beside each what must be read from it:
 *
 *     npm run golden -- VERSION
 *
 * Once, when the formats are settled; what is there is never written again.
 */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { goldenLakes, goldenRuntime } from './golden-lakes.ts'
import { readGolden } from './read-golden.ts'

const version = process.argv[2]
if (version === undefined || !/^\d+\.\d+$/.test(version)) throw new Error('Say a version, such as 0.1.')
const folder = fileURLToPath(new URL(version, import.meta.url))
await mkdir(folder, { recursive: true })
for (const [at, lake] of goldenLakes.entries()) {
  if (existsSync(join(folder, `${lake.name}.json`))) continue
  const work = await mkdtemp(join(folder, 'making-'))
  const dir = join(work, lake.name)
  await mkdir(dir)
  await lake.make(dir, goldenRuntime(at + 1))
  const contents = await readGolden(dir, 'read-write')
  await writeFile(join(folder, `${lake.name}.json`), `${JSON.stringify(contents, null, 1)}\n`)
  await rename(dir, join(folder, lake.name))
  await rm(work, { recursive: true })
}
