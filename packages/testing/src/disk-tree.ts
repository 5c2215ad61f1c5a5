import type { DiskCall } from './disk-errors.ts'
import { fileExists, misuse, noFile } from './disk-errors.ts'
import type { DiskNode, Tear } from './disk-node.ts'
import { DiskFile, DiskFolder } from './disk-node.ts'
import type { SeededRandom } from './seeded-random.ts'

const tears: readonly Tear[] = ['none', 'prefix', 'pages']

/** A change of names that waits for the sync of one folder. */
interface NameChange {
  readonly syncedBy: DiskFolder
  readonly removes?: { readonly folder: DiskFolder; readonly name: string; readonly node: DiskNode }
  readonly adds?: { readonly folder: DiskFolder; readonly name: string; readonly node: DiskNode }
}

/** The names of a disk, now and as a power loss would leave them. Knows nothing of processes. */
export class DiskTree {
  readonly root: DiskFolder
  readonly #now: () => number
  #changes: NameChange[] = []
  #nextInode = 1
  // The lowest free number goes first, as on ext4: a new file easily takes the number of one just removed.
  #freeInodes: number[] = []

  constructor(now: () => number) {
    this.#now = now
    this.root = new DiskFolder(this.#takeInode(), now())
  }

  find(path: string): DiskNode | undefined {
    let node: DiskNode | undefined = this.root
    for (const name of namesOf(path)) {
      if (node?.kind !== 'directory') return undefined
      node = node.names.get(name)
    }
    return node
  }

  require(call: DiskCall, path: string): DiskNode {
    const node = this.find(path)
    if (node === undefined) throw noFile(call, path)
    return node
  }

  requireFolder(call: DiskCall, path: string): DiskFolder {
    const node = this.require(call, path)
    // ENOTDIR, which core's own disk reports the same way.
    if (node.kind !== 'directory') throw noFile(call, path)
    return node
  }

  create(path: string): DiskFile {
    const { folder, name } = this.#vacant('create', path)
    const file = new DiskFile(this.#takeInode(), this.#now())
    this.#add(folder, name, file)
    return file
  }

  mkdir(path: string): void {
    const { folder, name } = this.#vacant('mkdir', path)
    this.#add(folder, name, new DiskFolder(this.#takeInode(), this.#now()))
  }

  link(from: string, to: string): void {
    const node = this.require('link', from)
    const { folder, name } = this.#vacant('link', to)
    if (node.kind !== 'file') throw misuse('EPERM', 'link', from)
    this.#add(folder, name, node)
  }

  rename(from: string, to: string): void {
    const node = this.require('rename', from)
    const source = this.#place('rename', from)
    const target = this.#place('rename', to)
    const present = target.folder.names.get(target.name)
    if (present === node) return
    if (node.kind === 'directory' && [...reachable(node)].includes(target.folder)) throw misuse('EINVAL', 'rename', to)
    if (present !== undefined) {
      // Asked before what each of them is: a folder that holds the source is not empty.
      if (present.kind === 'directory' && [...reachable(present)].includes(source.folder))
        throw fileExists('rename', to)
      if (present.kind === 'directory' && node.kind === 'file') throw misuse('EISDIR', 'rename', to)
      if (present.kind === 'file' && node.kind === 'directory') throw noFile('rename', to)
      if (present.kind === 'directory' && present.names.size > 0) throw fileExists('rename', to)
    }
    source.folder.names.delete(source.name)
    target.folder.names.set(target.name, node)
    source.folder.modifiedMs = target.folder.modifiedMs = this.#now()
    // One step to a crash as well: both names change with the target's folder.
    this.#changes.push({ syncedBy: target.folder, removes: { ...source, node }, adds: { ...target, node } })
    if (present !== undefined) this.#unlinked(present)
  }

  unlink(path: string): void {
    const { folder, name } = this.#place('unlink', path)
    const node = this.require('unlink', path)
    if (node.kind !== 'file') throw misuse('EISDIR', 'unlink', path)
    this.#remove(folder, name, node)
  }

  rmdir(path: string): void {
    const { folder, name } = this.#place('rmdir', path)
    const node = this.requireFolder('rmdir', path)
    if (node.names.size > 0) throw fileExists('rmdir', path)
    this.#remove(folder, name, node)
  }

  /** Makes the names in this folder durable: not what they name, not the folder's own name. */
  sync(folder: DiskFolder): void {
    for (const change of this.#changes) if (change.syncedBy === folder) settle(change)
    this.#changes = this.#changes.filter((change) => change.syncedBy !== folder)
  }

  /** Frees the inode number of a file that no name and no handle holds any more. */
  release(file: DiskFile): void {
    if (file.links === 0 && file.opens === 0) this.#freeInode(file.inode)
  }

  /** Bytes of all files that have a name. */
  usedBytes(): number {
    let bytes = 0
    for (const node of reachable(this.root)) if (node.kind === 'file') bytes += node.size
    return bytes
  }

  /** A power loss. With a tear, a seeded number of the oldest name changes has reached the disk, as a journal would. */
  crash(tear: boolean, random: SeededRandom): void {
    if (tear) this.#changes.slice(0, random.below(this.#changes.length + 1)).forEach(settle)
    this.#changes = []
    for (const node of reachable(this.root, 'durable')) {
      if (node.kind === 'directory') node.names = new Map(node.durable)
      else node.loseUnsynced(tear ? random.pick(tears) : 'none', random)
    }
    this.#renumber()
  }

  #place(call: DiskCall, path: string): { readonly folder: DiskFolder; readonly name: string } {
    const names = namesOf(path)
    const name = names.pop()
    if (name === undefined) throw misuse('EINVAL', call, path)
    return { folder: this.requireFolder(call, `/${names.join('/')}`), name }
  }

  #vacant(call: DiskCall, path: string): { readonly folder: DiskFolder; readonly name: string } {
    const place = this.#place(call, path)
    if (place.folder.names.has(place.name)) throw fileExists(call, path)
    return place
  }

  #add(folder: DiskFolder, name: string, node: DiskNode): void {
    folder.names.set(name, node)
    folder.modifiedMs = this.#now()
    if (node.kind === 'file') node.links++
    this.#changes.push({ syncedBy: folder, adds: { folder, name, node } })
  }

  #remove(folder: DiskFolder, name: string, node: DiskNode): void {
    folder.names.delete(name)
    folder.modifiedMs = this.#now()
    this.#changes.push({ syncedBy: folder, removes: { folder, name, node } })
    this.#unlinked(node)
  }

  #unlinked(node: DiskNode): void {
    if (node.kind === 'directory') return this.#freeInode(node.inode)
    node.links--
    this.release(node)
  }

  #takeInode(): number {
    return this.#freeInodes.shift() ?? this.#nextInode++
  }

  #freeInode(inode: number): void {
    this.#freeInodes.push(inode)
    this.#freeInodes.sort((a, b) => a - b)
  }

  // After a crash, names are back whose numbers were given out again: one number, one file.
  #renumber(): void {
    const taken = new Set<number>()
    for (const node of reachable(this.root)) {
      if (taken.has(node.inode)) node.inode = this.#nextInode++
      taken.add(node.inode)
      if (node.kind === 'file') node.links = 0
    }
    for (const node of reachable(this.root, 'names', true)) if (node.kind === 'file') node.links++
    this.#freeInodes = []
    for (let inode = 1; inode < this.#nextInode; inode++) if (!taken.has(inode)) this.#freeInodes.push(inode)
  }
}

export function namesOf(path: string): string[] {
  if (!path.startsWith('/')) throw misuse('EINVAL', 'open', path)
  const names: string[] = []
  for (const name of path.split('/')) {
    if (name === '..') names.pop()
    else if (name !== '' && name !== '.') names.push(name)
  }
  return names
}

function settle({ removes, adds }: NameChange): void {
  // A newer file of that name may have been made durable before: it stays.
  if (removes !== undefined && removes.folder.durable.get(removes.name) === removes.node)
    removes.folder.durable.delete(removes.name)
  if (adds !== undefined) adds.folder.durable.set(adds.name, adds.node)
}

/** Each node once, or once per name. */
function* reachable(folder: DiskFolder, view: 'names' | 'durable' = 'names', perName = false): Iterable<DiskNode> {
  const seen = new Set<DiskNode>([folder])
  const queue: DiskNode[] = [folder]
  for (let node = queue.shift(); node !== undefined; node = queue.shift()) {
    yield node
    if (node.kind !== 'directory') continue
    for (const child of node[view].values()) {
      if (seen.has(child) && !perName) continue
      seen.add(child)
      queue.push(child)
    }
  }
}
