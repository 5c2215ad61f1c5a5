import { defineConfig } from 'tsup'

/** The one build of every package: ESM and declarations for Node 22, each entry of the exports map from its source. */
export const library = (entries: readonly string[]): ReturnType<typeof defineConfig> =>
  defineConfig({
    entry: entries.map((name) => `src/${name}.ts`),
    format: 'esm',
    target: 'node22',
    platform: 'node',
    sourcemap: true,
    clean: true,
    silent: true,
    // Declarations are rolled up per package; project references are tsc's business, not tsup's.
    dts: { compilerOptions: { composite: false, incremental: false, rootDir: '../..' } },
  })
