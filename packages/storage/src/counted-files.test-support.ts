import type { FileHandle, Files } from '@moulin/core'

/** One call of a disk: `read /srv/lake/a`. */
export interface FileCalls {
  readonly files: Files
  /** Since the last {@link take}, in the order made. */
  readonly made: readonly string[]
  /** Handles that are open now. */
  readonly open: number
  take(): string[]
}

/** The same disk, every call of which is noted down: those that its handles make, too. */
export function countedFiles(files: Files): FileCalls {
  const made: string[] = []
  let open = 0
  const note = (call: string, path: string): void => void made.push(`${call} ${path}`)
  const noted = <A extends readonly unknown[], R>(call: string, path: string, work: (...args: A) => R) => {
    return (...args: A): R => {
      note(call, path)
      return work(...args)
    }
  }
  const handleOf = (handle: FileHandle, path: string): FileHandle => ({
    ...handle,
    read: noted('read', path, handle.read),
    writev: noted('write', path, handle.writev),
    size: noted('fstat', path, handle.size),
    stat: noted('fstat', path, handle.stat),
    touch: noted('touch', path, handle.touch),
    sync: noted('sync', path, handle.sync),
    datasync: noted('datasync', path, handle.datasync),
    async close() {
      note('close', path)
      open--
      await handle.close()
    },
  })
  const byPath =
    <A extends readonly unknown[], R>(call: string, work: (path: string, ...args: A) => R) =>
    (path: string, ...args: A): R => {
      note(call, path)
      return work(path, ...args)
    }
  return {
    files: {
      ...files,
      async open(path, ...mode) {
        note('open', path)
        const handle = await files.open(path, ...mode)
        open++
        return handleOf(handle, path)
      },
      link: byPath('link', files.link),
      rename: byPath('rename', files.rename),
      unlink: byPath('unlink', files.unlink),
      readdir: byPath('readdir', files.readdir),
      stat: byPath('stat', files.stat),
      syncDirectory: byPath('syncDirectory', files.syncDirectory),
      realpath: byPath('realpath', files.realpath),
      mountOf: byPath('mountOf', files.mountOf),
      spaceOf: byPath('spaceOf', files.spaceOf),
    },
    made,
    get open() {
      return open
    },
    take: () => made.splice(0),
  }
}
