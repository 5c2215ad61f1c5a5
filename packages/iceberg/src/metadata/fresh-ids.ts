import { invalid } from '@moulin/core'
import type { CreateTableRequest, IcebergField, IcebergSchema, IcebergType, JsonValue } from '@moulin/core'

/**
 * The request with the columns numbered anew from 1: those of a struct one after the other, then what lies within each; and whatever named
 * one by its id following it. That is what a REST catalog makes of the ids that a client sends, which are none of a table yet, and it is
 * the same whatever they were.
 *
 * @throws `invalid` for an id that is used twice, or named and not there.
 *
 * Spec: Iceberg REST catalog, `createTable`; the order is that of Apache's own catalogs.
 */
export function withFreshIds(request: CreateTableRequest): CreateTableRequest {
  const ids = new FreshIds()
  const { schema, partitionSpec, sortOrder } = request
  const fields = ids.fieldsOf(schema.fields)
  const identifiers = schema['identifier-field-ids']
  const renewed: IcebergSchema = {
    ...schema,
    fields,
    ...(identifiers === undefined ? {} : { 'identifier-field-ids': identifiers.map((id) => ids.of(id)) }),
  }
  return {
    ...request,
    schema: renewed,
    ...(partitionSpec === undefined
      ? {}
      : {
          partitionSpec: {
            fields: partitionSpec.fields.map(({ 'source-id': id, name, transform }) => ({
              'source-id': ids.of(id),
              name,
              transform,
            })),
          },
        }),
    ...(sortOrder === undefined ? {} : { sortOrder: { ...sortOrder, fields: sortOrder.fields.map(ids.sortField) } }),
  }
}

class FreshIds {
  /** By the id that was sent. */
  readonly #fresh = new Map<number, number>()

  /** One that is none is left for those to refuse who look into it. */
  readonly sortField = (field: JsonValue): JsonValue => {
    if (typeof field !== 'object' || field === null || Array.isArray(field)) return field
    const { 'source-id': id } = field
    return typeof id === 'number' ? { ...field, 'source-id': this.of(id) } : field
  }

  of(id: number): number {
    const fresh = this.#fresh.get(id)
    if (fresh === undefined)
      throw invalid('UNKNOWN_ID', `The schema has no column with the id ${id}.`, { context: { id } })
    return fresh
  }

  fieldsOf(fields: readonly IcebergField[]): readonly IcebergField[] {
    const ids = fields.map(({ id }) => this.#next(id))
    return fields.map((field, at) => ({ ...field, id: ids[at]!, type: this.#typeOf(field.type) }))
  }

  #typeOf(type: IcebergType): IcebergType {
    if (typeof type === 'string') return type
    switch (type.type) {
      case 'struct':
        return { ...type, fields: this.fieldsOf(type.fields) }
      case 'list': {
        const id = this.#next(type['element-id'])
        return { ...type, 'element-id': id, element: this.#typeOf(type.element) }
      }
      case 'map': {
        const [key, value] = [this.#next(type['key-id']), this.#next(type['value-id'])]
        return {
          ...type,
          'key-id': key,
          key: this.#typeOf(type.key),
          'value-id': value,
          value: this.#typeOf(type.value),
        }
      }
    }
  }

  #next(id: number): number {
    if (this.#fresh.has(id)) throw invalid('FIELD_ID', `The field id ${id} is used twice in the schema.`)
    const fresh = this.#fresh.size + 1
    this.#fresh.set(id, fresh)
    return fresh
  }
}
