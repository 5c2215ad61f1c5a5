// Packs every package, installs the tarballs into an empty project as a stranger would, and runs the quick start there
// with a worker thread, on the Node that runs this script. Needs `npm run build` first.
import { execFileSync } from 'node:child_process'
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const project = mkdtempSync(join(tmpdir(), 'moulin-packed-'))
const run = (command: string, args: string[], cwd: string): string =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
try {
  for (const folder of globSync('packages/*')) run('npm', ['pack', '--silent', '--pack-destination', project], folder)
  writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  const tarballs = globSync('*.tgz', { cwd: project }).map((name) => `./${name}`)
  run('npm', ['install', '--silent', '--no-audit', '--no-fund', ...tarballs], project)
  cpSync('examples/quick-start.ts', join(project, 'quick-start.ts'))
  const said = run(process.execPath, ['quick-start.ts', './lake'], project)
  if (!said.includes("city: 'ams'") || !said.includes('audit: clean')) throw new Error(`The quick start said:\n${said}`)
  const topics = run(process.execPath, ['node_modules/moulin/dist/cli.js', 'topics', './lake'], project)
  if (!topics.includes('orders')) throw new Error(`moulin topics said:\n${topics}`)
  const { version } = JSON.parse(readFileSync(join(project, 'node_modules/moulin/package.json'), 'utf8')) as {
    version: string
  }
  const kilobytes = Number(run('du', ['-sk', 'node_modules'], project).split('\t')[0])
  console.log(
    `moulin ${version} works from its tarballs on ${process.version}; installed size ${Math.round(kilobytes / 1024)} MB`,
  )
} finally {
  rmSync(project, { recursive: true })
}
