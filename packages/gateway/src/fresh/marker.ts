import type { TableMetadata } from '@moulin/core'

/** Whether a log keeps its history in the table: docs/formats/table.md, "Marker". */
export function hasMarker({ properties = {} }: TableMetadata): boolean {
  return Object.keys(properties).some((name) => name.startsWith('moulin.marker.'))
}
