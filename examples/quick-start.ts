import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
// #region quick-start
import { avro, day, eq, openLog, schema, t } from 'moulin'

const Order = schema({ id: t.int53, city: t.string, total: t.double, placed_at: t.timestamptz })
// #endregion quick-start

const lake = process.argv[2] ?? join(mkdtempSync(join(tmpdir(), 'moulin-')), 'lake')

// #region quick-start-log
const log = await openLog(lake) // a folder, e.g. './lake'
const orders = await log.ensureTopic('orders', {
  value: avro(Order),
  table: 'shop.orders',
  partitionBy: [day('placed_at')],
})

const producer = orders.producer()
const { partition, offset } = await producer.send({
  key: 'ams',
  value: { id: 1, city: 'ams', total: 9.5, placed_at: new Date() },
}) // resolves when durable
console.log(`acked: partition ${partition}, offset ${offset}, survives loss of: the process (${log.durability})`)

for await (const record of orders.read({ from: 'earliest', to: 'end' })) console.log(record.offset, record.value)

const scan = orders.scan({ columns: ['city', 'total'], where: eq('city', 'ams') })
console.log(await scan.toArray()) // table plus what is still hot, each record once
const stream = await scan.toIpc() // the same for pyarrow, polars, DuckDB; toArrow() is a Table of apache-arrow
console.log(`${stream.length} bytes of Arrow`)

await orders.tier() // now any engine reads it from tables/shop/orders
const report = await orders.audit()
console.log(report.clean ? 'audit: clean' : report.gaps)
await log.close()
// #endregion quick-start-log
