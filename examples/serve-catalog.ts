/** An Iceberg REST catalog over the tables of a log: an engine that loads one finds in it what was acked a moment before. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serveCatalog } from '@moulin/gateway'
import { fileSystem, json, objectStoreCatalog, openLog, schema, t } from 'moulin'

const lake = process.argv[2] ?? join(mkdtempSync(join(tmpdir(), 'moulin-')), 'lake')
const log = await openLog(lake)
const Visit = schema({ page: t.string })
const visits = await log.ensureTopic('visits', { value: json(Visit), table: 'web.visits' })

// #region serve-catalog
const store = fileSystem({ root: lake })
const catalog = objectStoreCatalog({ store }) // any other catalog, too
const server = await serveCatalog({ catalog, stores: store, logs: [log], listen: '127.0.0.1:0', maxStalenessMs: 0 })

await visits.producer().send({ value: { page: '/' } }) // in no table yet

// What Spark, PyIceberg or DuckDB send when they open the table.
const answer = await fetch(`${server.url}/v1/namespaces/web/tables/visits`)
const { metadata } = (await answer.json()) as { metadata: { snapshots: { summary: Record<string, string> }[] } }
console.log(`${metadata.snapshots.at(-1)?.summary['total-records']} row in web.visits`)

await server.close()
// #endregion serve-catalog
await log.close()
