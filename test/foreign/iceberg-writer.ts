import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { made } from '../interop/cache.ts'
import { engine, installedSpark, javaBrief } from './engines.ts'
import type { RestCatalog } from './engines.ts'

const run = promisify(execFile)
const source = fileURLToPath(new URL('iceberg-java/ForeignWriter.java', import.meta.url))

/** Iceberg's own library over a REST catalog: see ForeignWriter.java. */
export interface IcebergWriter {
  /** @throws Error with what the library says of the request. */
  request(request: object): Promise<void>
  stop(): Promise<void>
}

/** Needs Java 17. The library is the one for Spark 4.1, and Hadoop the one in Spark. */
export async function icebergWriter({ uri }: RestCatalog): Promise<IcebergWriter> {
  const { program, jar } = await installedSpark({ version: '4.1.4', iceberg: '1.11.0' })
  const { stdout } = await run(program, ['-c', 'import pyspark; print(pyspark.__path__[0])'])
  const classPath = `${jar}:${join(stdout.trim(), 'jars/*')}`
  const classes = await made('iceberg-writer', (await readFile(source, 'utf8')) + jar, async (into) => {
    await run('javac', ['-nowarn', '-cp', classPath, '-d', into, source], { maxBuffer: 1 << 26 })
  })
  const { ask, stop } = engine('java', [...javaBrief, '-cp', `${classes}:${classPath}`, 'ForeignWriter', uri])
  return {
    async request(request) {
      await ask(request)
    },
    stop,
  }
}
