import { corrupt, unsupported } from '@moulin/core'
import type { IcebergField, IcebergSchema } from '@moulin/core'

/**
 * What has to be read of a file for the columns that an equality delete compares: top-level fields, with nothing in a struct but the way
 * to them. A column's type and default are those of the first of the schemas that has it.
 * @throws `corrupt` code `EQUALITY_FIELD` for an id that no schema has, or for none; `unsupported` code `EQUALITY_TYPE` for one of a struct,
 * a list or a map, or inside of a list or a map.
 *
 * Spec: "Equality Delete Files".
 */
export function equalityFields(
  schemas: readonly IcebergSchema[],
  ids: readonly number[],
  what: string,
): readonly IcebergField[] {
  if (ids.length === 0) throw corrupt('EQUALITY_FIELD', `${what} names no columns to compare rows by.`)
  const fields = new Map<number, IcebergField>()
  for (const id of [...new Set(ids)].sort((a, b) => a - b)) {
    const found = firstOf(schemas, ({ fields: columns }) => wayTo(columns, id))
    if (found === undefined) {
      const message = `${what} compares rows by column id ${id}, which no schema of the table has.`
      throw corrupt('EQUALITY_FIELD', message, { context: { file: what, fieldId: id } })
    }
    if (found === 'nested') {
      const message = `${what} compares rows by column id ${id}, which is or lies in a list, a map or a struct as a whole; primitive columns are compared.`
      throw unsupported('EQUALITY_TYPE', message, { context: { file: what, fieldId: id } })
    }
    const other = fields.get(found.id)
    fields.set(found.id, other === undefined ? found : joined(other, found))
  }
  return [...fields.values()]
}

/** The first of the fields' tree whose way leads there, cut down to it. */
function wayTo(fields: readonly IcebergField[], id: number): IcebergField | 'nested' | undefined {
  return firstOf(fields, (field) => {
    const { type } = field
    if (field.id === id) return typeof type === 'string' ? field : 'nested'
    if (typeof type === 'string') return undefined
    switch (type.type) {
      case 'struct': {
        const inside = wayTo(type.fields, id)
        return typeof inside === 'object' ? { ...field, type: { type: 'struct', fields: [inside] } } : inside
      }
      case 'list':
        return isIn({ id: type['element-id'], type: type.element }, id) ? 'nested' : undefined
      case 'map':
        return isIn({ id: type['key-id'], type: type.key }, id) || isIn({ id: type['value-id'], type: type.value }, id)
          ? 'nested'
          : undefined
    }
  })
}

function isIn({ id: own, type }: Pick<IcebergField, 'id' | 'type'>, id: number): boolean {
  return own === id || wayTo([{ id: own, name: '', required: false, type }], id) !== undefined
}

/** One field with the ways of two that are the same but for these. */
function joined(a: IcebergField, b: IcebergField): IcebergField {
  const [inA, inB] = [membersOf(a), membersOf(b)]
  const members = inA.map((member) => {
    const other = inB.find(({ id }) => id === member.id)
    return other === undefined ? member : joined(member, other)
  })
  const more = inB.filter(({ id }) => !inA.some((member) => member.id === id))
  return { ...a, type: { type: 'struct', fields: [...members, ...more] } }
}

function membersOf({ type }: IcebergField): readonly IcebergField[] {
  return typeof type === 'object' && type.type === 'struct' ? type.fields : []
}

function firstOf<T, R>(items: readonly T[], find: (item: T) => R | undefined): R | undefined {
  for (const item of items) {
    const found = find(item)
    if (found !== undefined) return found
  }
  return undefined
}
