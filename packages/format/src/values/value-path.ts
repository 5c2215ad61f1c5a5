import { shown } from '@moulin/core'
/** Names a place in a value, such as `lines[3].price`: a text, or what becomes one when an error needs it. */
export type ValuePath = string | ItemPath | EntryPath | MemberPath

/** The element of a list that is being looked at. */
export class ItemPath {
  readonly parent: ValuePath
  index = 0
  constructor(parent: ValuePath) {
    this.parent = parent
  }
  toString(): string {
    return `${String(this.parent)}[${this.index}]`
  }
}

/** The entry of a map that is being looked at. */
export class EntryPath {
  readonly parent: ValuePath
  key: unknown = undefined
  constructor(parent: ValuePath) {
    this.parent = parent
  }
  toString(): string {
    const { key } = this
    return `${String(this.parent)}[${shown(key)}]`
  }
}

class MemberPath {
  readonly parent: ValuePath
  readonly name: string
  constructor(parent: ValuePath, name: string) {
    this.parent = parent
    this.name = name
  }
  toString(): string {
    return `${String(this.parent)}.${this.name}`
  }
}

/** A field's own place; without a parent it is a field of the whole value. */
export function memberPath(parent: ValuePath | undefined, name: string): ValuePath {
  if (parent === undefined) return name
  return typeof parent === 'string' ? `${parent}.${name}` : new MemberPath(parent, name)
}
