import type { AuditReport, Topic } from 'moulin'
import type { Flight } from './schema.ts'
import type { Sql } from './sql.ts'
import { sqlOver } from './sql.ts'

export interface TableChecks {
  readonly rows: number
  readonly typedShare: number
  readonly groupByEqual: boolean
  readonly sqlAuditEqual: boolean
}

/** What an engine of others makes of the table's present snapshot, beside the source and beside our own ledger. */
export async function checkTable(request: {
  /** Paths on this machine. */
  readonly dataFiles: readonly string[]
  readonly sourceFile: string
  readonly sourceRows: number
  readonly audit: AuditReport
}): Promise<TableChecks> {
  const sql = await sqlOver({ lake_flights: request.dataFiles, source: [request.sourceFile] })
  try {
    const [counts] = await sql.query(
      `SELECT count(*)::INT AS n, count(*) FILTER (_kafka_value_state = 'typed')::INT AS typed FROM lake_flights`,
    )
    const rows = Number(counts!['n'])
    return {
      rows,
      typedShare: rows === 0 ? 0 : Number(counts!['typed']) / rows,
      groupByEqual: await sameGroups(sql, request.sourceRows),
      sqlAuditEqual: await sameAudit(sql, request.audit),
    }
  } finally {
    sql.close()
  }
}

async function sameGroups(sql: Sql, sourceRows: number): Promise<boolean> {
  const groups = (table: string): string =>
    `SELECT origin, count(*)::VARCHAR AS n, sum(delay)::VARCHAR AS delay, sum(distance)::VARCHAR AS distance, max(date)::VARCHAR AS last
     FROM ${table} GROUP BY origin ORDER BY origin`
  const ours = await sql.query(groups('lake_flights'))
  const theirs = await sql.query(groups(`(SELECT * FROM source LIMIT ${sourceRows})`))
  return JSON.stringify(ours) === JSON.stringify(theirs)
}

// The report's own SQL, run by DuckDB, must give the ledger's rows and checksums.
async function sameAudit(sql: Sql, audit: AuditReport): Promise<boolean> {
  const rows = await sql.query(audit.sql.replaceAll('{table}', 'lake_flights'))
  const seen = new Map(
    rows.map((row) => [
      `${row['_kafka_incarnation']}/${row['_kafka_partition']}`,
      `${row['row_count']}/${row['checksum']}`,
    ]),
  )
  const ledger = audit.partitions.filter(({ ledgerRows }) => ledgerRows > 0n)
  return (
    seen.size === ledger.length &&
    ledger.every((entry) => {
      return seen.get(`${entry.incarnation}/${entry.partition}`) === `${entry.ledgerRows}/${entry.ledgerChecksum}`
    })
  )
}

/** Records in the log, by the log's own offsets. */
export function recordsIn(topic: Topic<Flight>): number {
  return topic.offsets().reduce((sum, { highWatermark, start }) => sum + Number(highWatermark - start), 0)
}
