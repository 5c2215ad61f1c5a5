import {
  arrayField,
  asObject,
  countField,
  invalid,
  storedCheck,
  stringField,
  type Codec,
  type JsonObject,
  type JsonValue,
  type RegistryIdentity,
  type SchemaFieldId,
} from '@moulin/core'

/** What makes a schema this one and no other; its text alone does not, for a registry may give one text several ids. */
export type SchemaIdentity = Pick<Codec, 'format' | 'definition' | 'registry'>

/** Equal for the same schema only; format and registry have no line feed. */
export function identityText({ format, definition, registry }: SchemaIdentity): string {
  return `${format}\n${registryText(registry)}\n${definition}`
}

/** JSON with the members in their order; `null` for none. */
export function registryText(registry: RegistryIdentity | undefined): string {
  return JSON.stringify(registryToJson(registry))
}

/** Only the members that we know, in their order. */
export function registryToJson(registry: RegistryIdentity | undefined): JsonObject | null {
  if (registry === undefined) return null
  const { wire, id, subject, version, references } = registry
  return { wire, id, subject, version, references: references.map(referenceToJson) }
}

function referenceToJson({ name, subject, version }: RegistryIdentity['references'][number]): JsonObject {
  return { name, subject, version }
}

/** @throws `invalid` for an identity that could not be read back. */
export function checkRegistry(registry: RegistryIdentity | undefined): void {
  try {
    parseRegistry(registryToJson(registry), 'the codec')
  } catch (cause) {
    const text = registryText(registry)
    throw invalid('REGISTRY_IDENTITY', `The codec's registry is not a registry identity: ${text}.`, { cause })
  }
}

/** @throws `corrupt`. */
export function parseRegistry(json: JsonValue | undefined, what: string): RegistryIdentity | undefined {
  if (json === null) return undefined
  const registry = asObject(json, `registry of ${what}`)
  return {
    wire: stringField(registry, 'wire', what),
    id: stringField(registry, 'id', what),
    subject: orNull(registry, 'subject', (field) => stringField(registry, field, what)),
    version: orNull(registry, 'version', (field) => countField(registry, field, what)),
    references: arrayField(registry, 'references', what).map((entry) => {
      const reference = asObject(entry, `a reference of ${what}`)
      return {
        name: stringField(reference, 'name', what),
        subject: stringField(reference, 'subject', what),
        version: countField(reference, 'version', what),
      }
    }),
  }
}

function orNull<T>(json: JsonObject, field: string, read: (field: string) => T): T | null {
  return json[field] === null ? null : read(field)
}

/** @throws `corrupt`. */
export function parseFieldIds(json: JsonValue | undefined, what: string): SchemaFieldId[] | null {
  if (json === null) return null
  return storedCheck.array(json, what, 'ids').map((entry) => {
    const field = asObject(entry, `a field id of ${what}`)
    return { path: storedCheck.strings(field['path'], what, 'path'), id: countField(field, 'id', what) }
  })
}
