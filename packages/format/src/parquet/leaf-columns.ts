import {
  type Column,
  foldIceberg,
  type IcebergField,
  type IcebergType,
  invalid,
  isValid,
  takeRows,
  typeName,
} from '@moulin/core'
import { primitiveType, storageOf } from './primitive-type.ts'

/**
 * The leaf columns below a field, in schema order, each cut to the values that a reader would see: an element of a null
 * list is left out, a member of a null struct is null. Undefined where the column is missing: all null.
 * @throws `invalid` when a storage does not fit its type, or a required field has a null.
 */
export function leafColumns(field: IcebergField, column: Column | undefined): (Column | undefined)[] {
  const leaves: (Column | undefined)[] = []
  if (column === undefined && field.required) throw missing(field.name)
  add(field.name, field.type, field.required, column, undefined, leaves)
  return leaves
}

function add(
  path: string,
  type: IcebergType,
  required: boolean,
  column: Column | undefined,
  parent: Column | undefined,
  leaves: (Column | undefined)[],
): void {
  if (column !== undefined) {
    checkStorage(path, type, column)
    if (required) checkRequired(path, column, parent)
  }
  foldIceberg<void>(type, {
    primitive() {
      leaves.push(column === undefined ? undefined : nullWithParent(column, parent))
    },
    list(element) {
      const elements = column?.storage === 'list' ? liveElements(column, parent) : undefined
      add(`${path}.element`, element.type, element.required, elements, undefined, leaves)
    },
    map(key, value) {
      for (const { name, type, required } of [key, value])
        add(`${path}.${name}`, type, required, undefined, undefined, leaves)
    },
    struct(fields) {
      for (const field of fields) {
        const child = column?.storage === 'struct' ? column.fields.find(({ name }) => name === field.name) : undefined
        const name = `${path}.${field.name}`
        if (child === undefined && field.required && column !== undefined) throw missing(name)
        const above = column === undefined ? undefined : nullWithParent(column, parent)
        add(name, field.type, field.required, child?.column, above, leaves)
      }
    },
  })
}

function checkStorage(path: string, type: IcebergType, column: Column): void {
  const wanted = typeof type === 'string' ? storageOf(primitiveType(type)) : { storage: type.type, width: undefined }
  const width = column.storage === 'fixed' ? column.width : undefined
  if (column.storage !== wanted.storage || width !== wanted.width) {
    const [has, needs] = [column.storage + (width ?? ''), wanted.storage + (wanted.width ?? '')]
    throw invalid('COLUMN_STORAGE', `Column ${path} holds ${has}; the type ${typeName(type)} needs ${needs}.`)
  }
}

function checkRequired(path: string, column: Column, parent: Column | undefined): void {
  if (column.validity === undefined) return
  for (let row = 0; row < column.length; row++) {
    if (!isValid(column, row) && (parent === undefined || isValid(parent, row)))
      throw invalid('REQUIRED_NULL', `Column ${path} is required and has a null in row ${row}.`, {
        context: { column: path },
      })
  }
}

function missing(path: string): Error {
  return invalid('REQUIRED_NULL', `Column ${path} is required and missing from the batch.`, {
    context: { column: path },
  })
}

/** The column with the nulls of the struct around it. */
function nullWithParent(column: Column, parent: Column | undefined): Column {
  if (parent?.validity === undefined) return column
  const validity = parent.validity.slice(0, (column.length + 7) >> 3)
  if (column.validity !== undefined) for (let i = 0; i < validity.length; i++) validity[i]! &= column.validity[i]!
  return { ...column, validity }
}

function liveElements(list: Column & { readonly storage: 'list' }, parent: Column | undefined): Column {
  const { offsets, element, length } = list
  const lists = nullWithParent(list, parent)
  if (lists.validity === undefined && offsets[0] === 0 && offsets[length] === element.length) return element
  const rows: number[] = []
  for (let row = 0; row < length; row++) {
    if (!isValid(lists, row)) continue
    for (let child = offsets[row]!; child < offsets[row + 1]!; child++) rows.push(child)
  }
  return takeRows(element, Int32Array.from(rows))
}
