/**
 * Runs the tests against real servers, each installed and started by the scripts beside this one.
 *
 *     npm run test:services [-- --all] [FILE …]
 *
 * By default SeaweedFS and Azurite. `--all` adds those that are built from source, which takes minutes the first time: versitygw and
 * fake-gcs-server. All else is handed on to vitest.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const vitest = fileURLToPath(new URL('node_modules/vitest/vitest.mjs', new URL('../../', import.meta.url)))
const given = process.argv.slice(2)
const isAll = given.includes('--all')
const args = given.filter((arg) => arg !== '--all')
const files = args.some((arg) => !arg.startsWith('-')) ? [] : ['test/services/']
const env = { ...process.env, MOULIN_SERVICES: isAll ? 'all' : '1' }
spawn(process.execPath, [vitest, 'run', ...files, ...args], { stdio: 'inherit', env }).on('exit', (code) => {
  process.exitCode = code ?? 1
})
