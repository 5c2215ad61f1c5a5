/** A table of anybody's, read without a log: here by the file of its metadata, as Spark, PyIceberg and Trino write it. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
// #region open-table
import { readFile } from 'node:fs/promises'
import { fileSystem, gt, openTable, parseTableMetadata } from 'moulin'
// #endregion open-table
import { json, openLog, schema, t } from 'moulin'

const lake = join(mkdtempSync(join(tmpdir(), 'moulin-')), 'lake')
const log = await openLog(lake)
const Order = schema({ id: t.int53, total: t.double })
const orders = await log.createTopic('orders', { value: json(Order), table: 'shop.orders', formatVersion: 3 })
const producer = orders.producer()
for (let id = 0; id < 10; id++) await producer.send({ value: { id, total: id / 4 } })
await orders.tier()
await log.close()
const folder = lake
const file = process.argv[2] ?? join(lake, 'tables/shop/orders/metadata/v2.metadata.json')

// #region open-table-read
// `folder` holds the table's files; `file` is what its catalog calls `metadata_location`, such as 00007-….metadata.json.
const table = await openTable({
  table: 'shop.orders', // what it is called in messages
  catalog: {
    // Asked again by refresh(). A REST or Glue catalog is the same few lines around its client.
    loadTable: async (identifier) => {
      const metadata = parseTableMetadata(await readFile(file), file) // 64-bit ids exact, which JSON.parse rounds
      return { identifier, metadataLocation: `file://${file}`, metadata }
    },
  },
  stores: fileSystem({ root: folder }), // or (location, config, credentials) => store, for several buckets
})
console.log(await table.count(), table.columns.map(({ name }) => name).at(-1))
console.log(await table.scan({ columns: ['id', 'total', '_row_id'], where: gt('total', 2) }).toArray())
for (const { id, operation } of table.snapshots()) console.log(operation, await table.at(id).count())
await table.close()
// #endregion open-table-read
