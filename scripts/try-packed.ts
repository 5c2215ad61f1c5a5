// Packs every package, installs the tarballs into an empty project as a stranger would, and runs the quick start there
// with a worker thread, on the Node that runs this script. Needs `npm run build` first.
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

const project = mkdtempSync(join(tmpdir(), 'moulin-packed-'))
const natives = ['snappy', '@node-rs/crc32']
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
  const verified = run(
    process.execPath,
    ['node_modules/moulin/dist/cli.js', 'verify', './lake/tables/shop/orders'],
    project,
  )
  if (!verified.includes(': same (')) throw new Error(`moulin verify said:\n${verified}`)
  cpSync('examples/store-sqlite.ts', join(project, 'store-sqlite.ts'))
  const judged = run(
    process.execPath,
    ['node_modules/@moulin/testing/dist/cli.js', 'store', 'store-sqlite.ts'],
    project,
  )
  if (!judged.includes(' 0 broken, ')) throw new Error(`moulin-testing store said:\n${judged}`)
  tryMeter()
  tryWithoutPeers(tarballs)
  for (const bundler of ['esbuild', 'vite'] as const) await tryBundle(bundler)
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

/** A meter of OpenTelemetry, once its API is there; without it the main entry has worked all along. */
function tryMeter(): void {
  writeFileSync(
    join(project, 'metered.ts'),
    `import { openLog } from 'moulin'
const entry = await import('moulin/opentelemetry').catch(({ code }) => code)
if (typeof entry === 'string') console.log('without the API: ' + entry)
else {
  const log = await openLog('./metered', { meter: entry.openTelemetryMeter() })
  await (await log.createTopic('events')).producer().send({ value: new Uint8Array(9) })
  await log.close()
  console.log('with the API: acked')
}
`,
  )
  const isThere = existsSync(join(project, 'node_modules/@opentelemetry/api'))
  if (isThere) throw new Error('An optional peer was installed with moulin.')
  expectSaid(run(process.execPath, ['metered.ts'], project), 'without the API: ERR_MODULE_NOT_FOUND')
  const { peerDependencies } = JSON.parse(readFileSync('packages/moulin/package.json', 'utf8')) as {
    peerDependencies: Record<string, string>
  }
  const api = `@opentelemetry/api@${peerDependencies['@opentelemetry/api']}`
  run('npm', ['install', '--silent', '--no-audit', '--no-fund', api], project)
  expectSaid(run(process.execPath, ['metered.ts'], project), 'with the API: acked')
}

/** `@moulin/format` by itself, and what it says when a second opinion is asked for without the package. */
function tryWithoutPeers(tarballs: readonly string[]): void {
  const alone = mkdtempSync(join(tmpdir(), 'moulin-format-'))
  try {
    writeFileSync(join(alone, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
    const own = tarballs.filter((name) => /moulin-(core|format)-/.test(name)).map((name) => join(project, name))
    run('npm', ['install', '--silent', '--no-audit', '--no-fund', ...own], alone)
    writeFileSync(
      join(alone, 'ask.ts'),
      `import { bytesRangeReader, parquetWriter } from '@moulin/format'
import { hyparquetWriter, secondOpinion } from '@moulin/format/second-opinion'
const { bytes } = parquetWriter.create({ schema: { type: 'struct', fields: [] } }).finish()
for (const ask of [hyparquetWriter, () => secondOpinion(bytesRangeReader(bytes, 'none'))])
  console.log(await ask().then(() => 'there', ({ code, message }) => code + ' ' + message))
`,
    )
    const said = run(process.execPath, ['ask.ts'], alone)
    for (const name of ['hyparquet', 'hyparquet-writer'])
      if (!new RegExp(`^PACKAGE_MISSING .* npm install ${name}\\.$`, 'm').test(said))
        throw new Error(`Without ${name} the second opinion said:\n${said}`)
  } finally {
    rmSync(alone, { recursive: true })
  }
}

/** What docs/bundlers.md says: found where the packages are installed, told where they are not, and named by the application. */
async function tryBundle(bundler: 'esbuild' | 'vite'): Promise<void> {
  const beside = join(project, `${bundler}-out`)
  await bundle(bundler, 'examples/bundled.ts', join(beside, 'app.mjs'))
  // Elsewhere only what cannot be bundled is installed.
  const alone = mkdtempSync(join(tmpdir(), 'moulin-bundled-'))
  try {
    cpSync(join(beside, 'app.mjs'), join(alone, 'app.mjs'))
    writeFileSync(join(alone, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
    const { dependencies } = JSON.parse(readFileSync('packages/format/package.json', 'utf8')) as {
      dependencies: Record<string, string>
    }
    run(
      'npm',
      ['install', '--silent', '--no-audit', '--no-fund', ...natives.map((name) => `${name}@${dependencies[name]}`)],
      alone,
    )
    const workers = ['lake', 'log'].map((name) => ({ name, outfile: `moulin-${name}-worker.mjs` }))
    for (const { name, outfile } of workers) {
      await bundle(bundler, join(project, `node_modules/@moulin/${name}/dist/worker.js`), join(alone, outfile))
    }
    const named = workers.map(({ outfile }) => `./${outfile}`)
    expectSaid(run(process.execPath, ['app.mjs', './lake'], beside), 'frontier 1000, no error\nfeed 2\n')
    expectSaid(run(process.execPath, ['app.mjs', './lake'], alone), 'frontier 1000, WORKER_START\nfeed WORKER_START\n')
    expectSaid(run(process.execPath, ['app.mjs', './named', ...named], alone), 'frontier 1000, no error\nfeed 2\n')
  } finally {
    rmSync(alone, { recursive: true })
  }
  console.log(`a bundle of ${bundler} works beside the packages, and without them with and without a worker of its own`)
}

async function bundle(bundler: 'esbuild' | 'vite', entry: string, outfile: string): Promise<void> {
  // In the project, so that the packages are found there, as an application of its own would.
  const isThere = entry.startsWith(project)
  const source = isThere ? entry : join(project, basename(entry))
  if (!isThere) cpSync(entry, source)
  if (bundler === 'esbuild') {
    const { build } = await import('esbuild')
    await build({
      entryPoints: [source],
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile,
      external: natives,
      logLevel: 'error',
    })
    return
  }
  const { build } = await import('vite')
  await build({
    root: project,
    logLevel: 'error',
    ssr: { noExternal: true, external: natives },
    build: {
      ssr: source,
      outDir: join(project, 'vite-made'),
      rolldownOptions: { output: { entryFileNames: 'made.mjs', codeSplitting: false } },
    },
  })
  cpSync(join(project, 'vite-made/made.mjs'), outfile)
}

function expectSaid(said: string, wanted: string): void {
  if (!said.includes(wanted)) throw new Error(`It said not "${wanted}" but:\n${said}`)
}
