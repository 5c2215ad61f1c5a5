import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

it('what `npm start` writes is not taken for a part of the repository', async () => {
  const job = await readFile(`${root}/examples/flights.ts`, 'utf8')
  const dir = /dir: \{ type: 'string', default: '\.\/([^']+)' \}/.exec(job)![1]!
  const parts = await readdir(`${root}/examples/flights`)
  const texts = await Promise.all(parts.map((name) => readFile(`${root}/examples/flights/${name}`, 'utf8')))
  // Folders beside that of the lake.
  const beside = texts.flatMap((text) => [...text.matchAll(/`\$\{dir\}(\.[a-z]+)`/g)].map((match) => match[1]!))
  expect(beside, 'the digests among them').toContain('.digests')
  const folders = ['', ...new Set(beside)].map((suffix) => `${dir}${suffix}/0`)
  const { stdout } = await promisify(execFile)('git', ['check-ignore', '--no-index', ...folders], { cwd: root })
  expect(stdout.trim().split('\n')).toEqual(folders)
})
