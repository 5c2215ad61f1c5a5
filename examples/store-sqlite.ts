/**
 * An object store of one's own: objects as rows of one SQLite file. Judged by the suite of the stores:
 *
 *     npx @moulin/testing store ./store-sqlite.ts
 *
 * It writes what it must; `defineObjectStore` fills in `getRanges`, `deleteMany` and `putStream`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { checkKey, conflict, defineObjectStore, exists, notFound, resolveRange, throwIfAborted } from '@moulin/core'
import type { ObjectInfo, ObjectStore } from '@moulin/core'

interface Row {
  readonly key: string
  readonly size: number
  readonly version: number
  readonly modified_ms: number
}

const tables = `
  PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS objects
    (key TEXT PRIMARY KEY, bytes BLOB NOT NULL, version INTEGER NOT NULL, modified_ms INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS versions (newest INTEGER NOT NULL);
  INSERT INTO versions SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM versions);`

/** Every promise of an ObjectStore but streams of any length: an object is one row, so a stream is gathered first. */
export function sqliteStore(path: string): ObjectStore & { close(): void } {
  const db = new DatabaseSync(path)
  db.exec(tables)
  const columns = 'key, length(bytes) AS size, version, modified_ms'
  const find = db.prepare(`SELECT ${columns} FROM objects WHERE key = ?`)
  const cut = db.prepare('SELECT substr(bytes, ?, ?) AS bytes FROM objects WHERE key = ?')
  // SQLite compares texts by the bytes of their UTF-8: the order that the door wants.
  const next = db.prepare(`SELECT ${columns} FROM objects WHERE key > ? OR (key = ? AND ?) ORDER BY key LIMIT 1000`)
  const number = db.prepare('UPDATE versions SET newest = newest + 1 RETURNING newest')
  const store = db.prepare('INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)')
  const remove = db.prepare('DELETE FROM objects WHERE key = ?')

  const infoOf = ({ key, size, version, modified_ms }: Row): ObjectInfo => {
    return { key, size, etag: `"${version}"`, modifiedMs: modified_ms }
  }
  const present = (key: string): ObjectInfo | undefined => {
    checkKey(key)
    const row = find.get(key) as Row | undefined
    return row === undefined ? undefined : infoOf(row)
  }
  /** One transaction, against other processes too. */
  const inTurn = <T>(work: () => T): T => {
    db.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      db.exec('COMMIT')
      return result
    } catch (error) {
      db.exec('ROLLBACK')
      throw error
    }
  }

  return defineObjectStore({
    name: `sqlite(${path})`,
    root: `sqlite://${path}/`,
    capabilities: { createIfAbsent: true, compareAndSwap: true, multipart: false },
    durability: 'disk' as const,
    listOrder: 'bytes' as const,

    async get(key: string, { range, ifNoneMatch, signal } = {}) {
      throwIfAborted(signal)
      const info = present(key)
      if (info === undefined) throw notFound('KEY_MISSING', `There is no object ${key}.`)
      if (info.etag === ifNoneMatch) throw exists('NOT_MODIFIED', `${key} still has the tag ${ifNoneMatch}.`)
      const { start, end } = resolveRange(range, info.size, key)
      const row = cut.get(start + 1, end - start, key) as { readonly bytes: Uint8Array | null }
      // SQLite has no empty part of a blob.
      return { ...info, bytes: row.bytes ?? new Uint8Array(0) }
    },

    async head(key: string, { signal } = {}) {
      throwIfAborted(signal)
      return present(key)
    },

    async put(key: string, bytes: Uint8Array, { mode = 'overwrite', signal } = {}) {
      throwIfAborted(signal)
      return inTurn(() => {
        const now = present(key)
        if (mode === 'create' && now !== undefined) throw exists('KEY_EXISTS', `${key} is there already.`)
        if (typeof mode === 'object' && now?.etag !== mode.ifMatch)
          throw conflict('TAG_MISMATCH', `${key} has the tag ${now?.etag}, not ${mode.ifMatch}: read it again.`)
        const { newest } = number.get() as { readonly newest: number }
        store.run(key, bytes, newest, Date.now())
        return { etag: `"${newest}"` }
      })
    },

    async delete(key: string, { signal } = {}) {
      throwIfAborted(signal)
      checkKey(key)
      remove.run(key)
    },

    async *list({ prefix = '', after = '', signal } = {}) {
      throwIfAborted(signal)
      // From the prefix itself on, or behind `after`, whichever comes later; pages, so that the list may be long.
      let from = Buffer.compare(Buffer.from(after), Buffer.from(prefix)) < 0 ? prefix : after
      let inclusive = from !== after
      for (;;) {
        const rows = next.all(from, from, inclusive ? 1 : 0) as unknown as Row[]
        for (const row of rows) {
          throwIfAborted(signal)
          if (!row.key.startsWith(prefix)) return
          yield infoOf(row)
        }
        if (rows.length === 0) return
        from = rows.at(-1)!.key
        inclusive = false
      }
    },

    close: () => db.close(),
  })
}

const opened = new Map<ObjectStore, { readonly folder: string; close(): void }>()

/** What the suite is told: how to make an empty store, to open it anew and to clear it away. */
export const underTest = {
  create(): ObjectStore {
    const folder = mkdtempSync(join(tmpdir(), 'moulin-sqlite-'))
    const store = sqliteStore(join(folder, 'my objects.db'))
    opened.set(store, { folder, close: store.close })
    return store
  },
  reopen(store: ObjectStore): ObjectStore {
    const { folder, close } = opened.get(store)!
    close()
    const again = sqliteStore(join(folder, 'my objects.db'))
    opened.set(store, { folder, close: again.close })
    return again
  },
  async close(store: ObjectStore): Promise<void> {
    const { folder, close } = opened.get(store)!
    close()
    rmSync(folder, { recursive: true })
    opened.delete(store)
  },
}
