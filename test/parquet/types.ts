import type { IcebergField, IcebergType } from '@moulin/core'

// Iceberg types in one line each.

export const field = (id: number, name: string, type: IcebergType, required = false): IcebergField => ({
  id,
  name,
  type,
  required,
})

export const list = (id: number, element: IcebergType, required = false): IcebergType => ({
  type: 'list',
  'element-id': id,
  element,
  'element-required': required,
})

/** From strings. */
export const map = (keyId: number, id: number, value: IcebergType, required = false): IcebergType => ({
  type: 'map',
  'key-id': keyId,
  key: 'string',
  'value-id': id,
  value,
  'value-required': required,
})

export const struct = (...fields: IcebergField[]): IcebergType => ({ type: 'struct', fields })
