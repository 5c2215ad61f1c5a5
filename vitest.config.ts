import { defineConfig } from 'vitest/config'
import { mutantPlugin } from './test/mutants/plugin.ts'

// Siblings resolve to their TypeScript sources, in vite's resolver and in Node's own (worker threads, child imports).
const conditions = ['moulin-source', 'node', 'import', 'default']
// CI counts tests from a JSON report, written wherever it says.
const report = process.env['MOULIN_TEST_REPORT']
const long = process.env['MOULIN_LONG'] === '1'

export default defineConfig({
  plugins: mutantPlugin(process.env['MOULIN_MUTANT']),
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    // A cached transform would hide a planted bug.
    fsModuleCache: process.env['MOULIN_MUTANT'] === undefined,
    include: ['packages/*/src/**/*.test.ts', 'test/**/*.test.ts'],
    // Tests that start foreign engines or services have a command of their own.
    exclude: [
      ...(process.env['MOULIN_INTEROP'] === '1' ? [] : ['test/interop/**', 'test/foreign/**']),
      ...(process.env['MOULIN_SERVICES'] === undefined ? ['test/services/**'] : []),
    ],
    execArgv: ['--conditions=moulin-source'],
    testTimeout: long ? 600_000 : 30_000,
    hookTimeout: long ? 600_000 : 30_000,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
    coverage: { include: ['packages/*/src/**/*.ts'], exclude: ['**/*.test.ts', '**/*.test-*.ts'] },
  },
})
