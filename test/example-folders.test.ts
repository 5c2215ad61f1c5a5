import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

it('what `npm start` writes is not taken for a part of the repository', async () => {
  const source = await readFile(`${root}/examples/flights.ts`, 'utf8')
  const dir = /dir: \{ type: 'string', default: '\.\/([^']+)' \}/.exec(source)![1]!
  const [, suffix] = /digestDir = `\$\{args\.dir\}([^`]+)`/.exec(source)!
  const folders = [`${dir}/moulin.json`, `${dir}${suffix}/0`]
  const { stdout } = await promisify(execFile)('git', ['check-ignore', '--no-index', ...folders], { cwd: root })
  expect(stdout.trim().split('\n')).toEqual(folders)
})
