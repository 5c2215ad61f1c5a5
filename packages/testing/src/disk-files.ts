import type { DirectoryEntry, DiskSize, FileHandle, Files, FileStat } from '@moulin/core'
import { compareKeys, isKind, joinBytes } from '@moulin/core'
import type { DiskCall, DiskEffectKind } from './disk-errors.ts'
import { diskFault, held, misuse, noFile, shortWrite } from './disk-errors.ts'
import type { DiskFile, DiskFolder, DiskNode } from './disk-node.ts'
import type { ProcessGate } from './disk-process.ts'
import type { DiskTree } from './disk-tree.ts'
import { namesOf } from './disk-tree.ts'

/** What the files of one process need of the disk. */
export interface DiskDevice {
  readonly tree: DiskTree
  readonly mount: 'local' | 'network'
  /** Whether handles may sync what they write. */
  readonly syncedWrites: boolean
  now(): number
  /** Throws the fault that a test has ordered for this call. */
  admit(process: string, call: DiskCall, path: string): void
  space(): DiskSize
  /** How many of `bytes` more still fit. */
  room(bytes: number): number
  /** A sync failed by order: some of the unsynced bytes are lost for good. */
  failedSync(file: DiskFile): void
  /** A synced write failed by order: any part of it is there. */
  failedWrite(file: DiskFile, position: number, bytes: Uint8Array): void
  changed(folder: DiskFolder): void
  watch(folder: DiskFolder, gate: ProcessGate, changed: () => void): { close(): void }
  /** What a process killed in the middle of a write has given: a part from the first byte on. Of a synced one perhaps none, or all. */
  partOf(bytes: Uint8Array, isSynced?: boolean): Uint8Array
}

const changes: ReadonlySet<DiskCall> = new Set(['write', 'syncedWrite', 'preallocate', 'truncate', 'touch'])

/** The door to the disk for one process. */
export function filesOf(device: DiskDevice, gate: ProcessGate): Files {
  const { tree } = device
  const ask = <T>(call: DiskCall, path: string, run: () => T): Promise<T> =>
    gate.ask(() => {
      device.admit(gate.name, call, path)
      return run()
    })
  const change = <T>(kind: DiskEffectKind, path: string, run: () => T, ...touched: string[]): Promise<T> =>
    gate.effect(kind, path, () => {
      device.admit(gate.name, kind, path)
      const result = run()
      for (const each of [path, ...touched]) {
        const folder = tree.find(parentOf(each))
        if (folder?.kind === 'directory') device.changed(folder)
      }
      return result
    })

  return {
    async open(path, mode, options) {
      const isSynced = device.syncedWrites && options?.synced === true
      const open = (file: DiskNode): FileHandle => {
        if (file.kind !== 'file') throw misuse('EISDIR', 'open', path)
        return handleOf(device, gate, file, path, mode === 'read' ? 'read' : isSynced ? 'synced' : 'plain')
      }
      return mode === 'create'
        ? change('create', path, () => open(tree.create(path)))
        : ask('open', path, () => open(tree.require('open', path)))
    },
    async mkdir(path, options) {
      if (options?.recursive !== true) return change('mkdir', path, () => tree.mkdir(path))
      const names = namesOf(path)
      for (let depth = 1; depth <= names.length; depth++) {
        const folder = `/${names.slice(0, depth).join('/')}`
        const present = await ask('stat', folder, () => tree.find(folder))
        if (present?.kind === 'file' && depth < names.length) throw noFile('mkdir', path)
        if (present?.kind !== 'directory') await change('mkdir', folder, () => tree.mkdir(folder))
      }
    },
    link: (from, to) => change('link', to, () => tree.link(from, to)),
    rename: (from, to) => change('rename', to, () => tree.rename(from, to), from),
    unlink: (path) => change('unlink', path, () => tree.unlink(path)),
    rmdir: (path) => change('rmdir', path, () => tree.rmdir(path)),
    readdir: (path) => ask('readdir', path, () => entriesOf(tree.requireFolder('readdir', path))),
    stat: (path) =>
      ask('stat', path, () => {
        const node = tree.find(path)
        return node === undefined ? undefined : statOf(node)
      }),
    statNow(path) {
      if (gate.state !== 'running') throw held('stat', path)
      device.admit(gate.name, 'stat', path)
      const node = tree.find(path)
      return node && statOf(node)
    },
    syncDirectory: (path) =>
      gate.effect('syncDirectory', path, () => {
        device.admit(gate.name, 'syncDirectory', path)
        const node = tree.require('syncDirectory', path)
        if (node.kind === 'directory') tree.sync(node)
        else node.sync()
      }),
    watch: (path, changed) => device.watch(tree.requireFolder('open', path), gate, changed),
    realpath: (path) =>
      ask('realpath', path, () => {
        tree.require('realpath', path)
        return `/${namesOf(path).join('/')}`
      }),
    mountOf: (path) =>
      ask('stat', path, () => {
        tree.require('stat', path)
        return device.mount
      }),
    spaceOf: (path) =>
      ask('stat', path, () => {
        tree.require('stat', path)
        return device.space()
      }),
  }
}

function handleOf(
  device: DiskDevice,
  gate: ProcessGate,
  file: DiskFile,
  path: string,
  use: 'read' | 'plain' | 'synced',
): FileHandle {
  let open = true
  file.opens++
  gate.opened.push(file)
  const require = (call: DiskCall): void => {
    if (!open || (use === 'read' && changes.has(call))) throw misuse('EBADF', call, path)
    device.admit(gate.name, call, path)
  }
  const ask = <T>(call: DiskCall, run: () => T): Promise<T> =>
    gate.ask(() => {
      require(call)
      return run()
    })
  const changed = (): void => {
    const folder = device.tree.find(parentOf(path))
    if (folder?.kind === 'directory') device.changed(folder)
  }
  const effect = (kind: DiskEffectKind, run: () => void, partly?: () => void): Promise<void> =>
    gate.effect(
      kind,
      path,
      () => {
        require(kind)
        run()
        changed()
      },
      partly,
    )
  const sync = (kind: 'sync' | 'datasync'): Promise<void> =>
    gate.effect(kind, path, () => {
      try {
        require(kind)
      } catch (error) {
        if (open) device.failedSync(file)
        throw error
      }
      file.sync()
    })
  // The part of a growth that fits a full disk is written all the same, as a real one does.
  const write = (position: number, bytes: Uint8Array, isSynced = false): void => {
    const grows = Math.max(0, position + bytes.length - file.size)
    const fits = Math.max(0, bytes.length - (grows - device.room(grows)))
    const part = bytes.subarray(0, fits)
    if (isSynced) file.writeSynced(position, part)
    else file.write(position, part)
    file.modifiedMs = device.now()
    if (fits === bytes.length) return
    throw isSynced && fits > 0 ? shortWrite(path, fits) : diskFault('NO_SPACE', 'write', path, { written: fits })
  }
  // Write and sync in one: the process may end with all of it written, and nothing of it durable.
  const syncedWrite = (position: number, bytes: Uint8Array): Promise<void> =>
    gate.effect(
      'syncedWrite',
      path,
      () => {
        try {
          require('syncedWrite')
        } catch (error) {
          if (open && !isKind(error, 'unavailable', 'READ_ONLY')) device.failedWrite(file, position, bytes)
          throw error
        }
        write(position, bytes, true)
        changed()
      },
      () => write(position, device.partOf(bytes, true)),
    )

  return {
    isSynced: use === 'synced',
    read: (position, length) => ask('read', () => file.read(position, length)),
    writev: (parts, position) => {
      const bytes = joinBytes(parts)
      // As the real disk: nothing to write is no call.
      if (bytes.length === 0) return gate.ask(() => {})
      if (use === 'synced') return syncedWrite(position, bytes)
      return effect(
        'write',
        () => write(position, bytes),
        () => write(position, device.partOf(bytes)),
      )
    },
    preallocate: (size) =>
      effect('preallocate', () => {
        const grows = Math.max(0, size - file.size)
        const fits = device.room(grows)
        if (grows > 0) file.resize(file.size + fits)
        file.modifiedMs = device.now()
        if (fits < grows) throw diskFault('NO_SPACE', 'preallocate', path)
      }),
    truncate: (size) =>
      effect('truncate', () => {
        file.resize(size)
        file.modifiedMs = device.now()
      }),
    datasync: () => sync('datasync'),
    sync: () => sync('sync'),
    size: () => ask('stat', () => file.size),
    stat: () => ask('stat', () => statOf(file)),
    touch: (modifiedMs) =>
      effect('touch', () => {
        file.modifiedMs = modifiedMs
      }),
    close: () =>
      gate.ask(() => {
        if (!open) throw misuse('EBADF', 'open', path)
        open = false
        gate.opened.splice(gate.opened.indexOf(file), 1)
        file.opens--
        device.tree.release(file)
      }),
  }
}

function parentOf(path: string): string {
  return `/${namesOf(path).slice(0, -1).join('/')}`
}

function statOf(node: DiskNode): FileStat {
  const { kind, modifiedMs, inode } = node
  return { kind, size: kind === 'file' ? node.size : 4096, modifiedMs, inode: `simulated:${inode}` }
}

function entriesOf(folder: DiskFolder): DirectoryEntry[] {
  return Array.from(folder.names, ([name, { kind }]): DirectoryEntry => ({ name, kind })).sort((a, b) =>
    compareKeys(a.name, b.name),
  )
}
