import { foldIceberg, nestedFields, parsePrimitive } from '@moulin/core'
import type { IcebergField, IcebergType } from '@moulin/core'
import { idAt } from './field-ids.ts'
import type { FieldIds } from './field-ids.ts'
import { isPromotion } from './reshape.ts'
import type { MemberShape, Reshape } from './reshape.ts'

/** A column of ours as the table has it now. */
export interface FollowedField {
  readonly theirs: IcebergField
  /**
   * What a file is asked for: our names and our order of members, with the ids and types that the table has for them. What is
   * gone, and what others have added to a struct of ours, is not in it.
   */
  readonly read: IcebergField
  /** From what is read to our type; undefined where that is what is read. */
  readonly fromTable: Reshape | undefined
  /** From our type to the table's. */
  readonly toTable: Reshape | undefined
  /** Paths of what the table has of it no more. */
  readonly gone: readonly string[]
  /** Paths of members that others have added, that must have a value, and have no write default. */
  readonly unfilled: readonly string[]
}

/** Says what stands in the way. */
export type Clash = (what: string) => Error

type Followed = Pick<FollowedField, 'fromTable' | 'toTable' | 'gone' | 'unfilled'> & { readonly read: IcebergType }

/**
 * Follows a field of ours, and its members, by their recorded ids.
 * @throws what `clash` makes where the table's type is none that ours may become.
 */
export function followField(
  ours: IcebergField,
  theirs: IcebergField,
  ids: FieldIds | undefined,
  clash: Clash,
): FollowedField {
  const { read, ...rest } = followType(ours.type, theirs.type, [ours.name], { ids, clash })
  const { id, name } = { id: theirs.id, name: ours.name }
  return { theirs, read: { id, name, required: theirs.required, type: read }, ...rest }
}

interface Context {
  readonly ids: FieldIds | undefined
  readonly clash: Clash
}

const unchanged = { fromTable: undefined, toTable: undefined, gone: [], unfilled: [] }

function followType(ours: IcebergType, theirs: IcebergType, path: readonly string[], context: Context): Followed {
  const clash = (): Error =>
    context.clash(
      `${path.length > 1 ? 'the nested field' : 'column'} ${path.join('.')} is now ${typeText(theirs)}, it was ${typeText(ours)}`,
    )
  if (typeof ours === 'string' || typeof theirs === 'string') {
    if (typeText(ours) === typeText(theirs)) return { ...unchanged, read: theirs }
    const [from, to] = [primitiveOf(ours), primitiveOf(theirs)]
    if (from === undefined || to === undefined || !isPromotion(from, to)) throw clash()
    return {
      ...unchanged,
      read: theirs,
      fromTable: { kind: 'cast', from: theirs as string, to: ours as string },
      toTable: { kind: 'cast', from: ours as string, to: theirs as string },
    }
  }
  if (ours.type !== theirs.type) throw clash()
  if (ours.type === 'struct') {
    return followMembers(ours.fields, nestedFields(theirs), path, context)
  }
  // The parts of a list and a map are there for as long as it is.
  const parts = nestedFields(ours).map((part, at) => {
    const found = nestedFields(theirs)[at]!
    const inner = [...path, part.name]
    if (found.id !== idAt(context.ids, inner, part.id))
      throw context.clash(`the nested field ${inner.join('.')} is another one now`)
    return { part, found, followed: followType(part.type, found.type, inner, context) }
  })
  const gone = parts.flatMap(({ followed }) => followed.gone)
  const unfilled = parts.flatMap(({ followed }) => followed.unfilled)
  const shapeOf = (shapes: readonly (Reshape | undefined)[]): Reshape | undefined => {
    if (shapes.every((shape) => shape === undefined)) return undefined
    if (ours.type === 'list') return { kind: 'list', element: shapes[0]! }
    const members = parts.map(({ part: { name, type } }, at) => ({ name, type, at, shape: shapes[at] }))
    return { kind: 'list', element: { kind: 'struct', members } }
  }
  const read = parts.map(({ found, followed }) => ({ ...found, type: followed.read }))
  return {
    read: withParts(theirs, read),
    fromTable: shapeOf(parts.map(({ followed }) => followed.fromTable)),
    toTable: shapeOf(parts.map(({ followed }) => followed.toTable)),
    gone,
    unfilled,
  }
}

function followMembers(
  ours: readonly IcebergField[],
  theirs: readonly IcebergField[],
  path: readonly string[],
  context: Context,
): Followed {
  const byId = new Map(theirs.map((field) => [field.id, field]))
  const found = ours.map((member) => {
    const inner = [...path, member.name]
    const field = byId.get(idAt(context.ids, inner, member.id))
    const followed = field === undefined ? undefined : followType(member.type, field.type, inner, context)
    return { member, field, followed, path: inner.join('.') }
  })
  const present = found.flatMap(({ member: { name }, field, followed }) =>
    field === undefined ? [] : [{ ...bare(field), name, type: followed!.read }],
  )
  let next = 0
  const fromTable = found.map(({ member: { name, type }, followed }): MemberShape => {
    return { name, type, at: followed === undefined ? undefined : next++, shape: followed?.fromTable }
  })
  const positions = new Map(found.map(({ field }, at) => [field, at]))
  const toTable = writableFields(theirs).map((field): MemberShape => {
    const at = positions.get(byId.get(field.id))
    return { ...field, at, shape: at === undefined ? undefined : found[at]!.followed!.toTable }
  })
  const added = theirs.filter((field) => !positions.has(field))
  return {
    read: { type: 'struct', fields: present },
    fromTable: isSame(fromTable, ours) ? undefined : { kind: 'struct', members: fromTable },
    toTable: isSame(toTable, ours) ? undefined : { kind: 'struct', members: toTable },
    gone: found.flatMap(({ followed, path: inner }) => followed?.gone ?? [inner]),
    unfilled: [
      ...found.flatMap(({ followed }) => followed?.unfilled ?? []),
      ...added.filter(mustBeGiven).map(({ name }) => [...path, name].join('.')),
    ],
  }
}

/** Without its defaults: a member of ours was never added later, so no file of its struct lacks it. */
const bare = ({ id, required }: IcebergField): Pick<IcebergField, 'id' | 'required'> => ({ id, required })

/** Whether the members are these, in this order and by these names. */
function isSame(members: readonly MemberShape[], ours: readonly IcebergField[]): boolean {
  return (
    members.length === ours.length &&
    members.every(({ name, at, shape }, index) => at === index && shape === undefined && name === ours[index]!.name)
  )
}

/** Whether a writer that knows nothing of the field cannot write a row. */
export function mustBeGiven(field: IcebergField): boolean {
  return field.required && !hasWriteDefault(field)
}

export function hasWriteDefault(field: IcebergField): boolean {
  const value = field['write-default']
  return value !== undefined && value !== null
}

/** Without what no writer of ours can write, such as a variant: it has no default but null, and a file may lack it. */
export function writableFields(fields: readonly IcebergField[]): IcebergField[] {
  return fields.flatMap((field) => {
    const type = writableType(field.type)
    return type === undefined ? [] : [{ ...field, type }]
  })
}

function writableType(type: IcebergType): IcebergType | undefined {
  if (typeof type === 'string') return parsePrimitive(type) === undefined ? undefined : type
  if (type.type === 'struct') {
    const fields = writableFields(type.fields)
    return fields.length === 0 ? undefined : { ...type, fields }
  }
  const parts = nestedFields(type).map((part) => writableType(part.type))
  if (parts.some((part) => part === undefined)) return undefined
  return type.type === 'list' ? { ...type, element: parts[0]! } : { ...type, key: parts[0]!, value: parts[1]! }
}

function withParts(type: Exclude<IcebergType, string>, parts: readonly IcebergField[]): IcebergType {
  if (type.type === 'list') return { ...type, element: parts[0]!.type }
  return type.type === 'map' ? { ...type, key: parts[0]!.type, value: parts[1]!.type } : type
}

const primitiveOf = (type: IcebergType): ReturnType<typeof parsePrimitive> =>
  typeof type === 'string' ? parsePrimitive(type) : undefined

function typeText(type: IcebergType): string {
  return foldIceberg(type, {
    primitive: (text) => text.replaceAll(' ', ''),
    list: (element) => `list<${typeText(element.type)}>`,
    map: (key, value) => `map<${typeText(key.type)},${typeText(value.type)}>`,
    struct: (fields) => `struct<${fields.map((field) => `${field.name}:${typeText(field.type)}`).join(',')}>`,
  })
}
