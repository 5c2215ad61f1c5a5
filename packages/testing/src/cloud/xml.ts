/** An element's children: text, or elements by name; a list is the same name several times. `undefined` is left out. */
export type XmlContent = string | number | boolean | XmlMembers
export interface XmlMembers {
  readonly [name: string]: XmlContent | readonly XmlContent[] | undefined
}

const declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'

/** A document of one element. */
export function xmlDocument(name: string, content: XmlContent, namespace?: string): string {
  return declaration + element(name, content, namespace === undefined ? '' : ` xmlns="${namespace}"`)
}

function element(name: string, content: XmlContent, attributes: string = ''): string {
  return `<${name}${attributes}>${inner(content)}</${name}>`
}

function inner(content: XmlContent): string {
  if (typeof content !== 'object') return escaped(String(content))
  return Object.entries(content)
    .flatMap(([name, value]) =>
      value === undefined ? [] : [value].flat().map((one) => element(name, one as XmlContent)),
    )
    .join('')
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replace(/[\u0000-\u001f\u007f]/g, (control) => `&#x${control.codePointAt(0)!.toString(16)};`)
}

/** An element of a document that was sent. */
export interface XmlElement {
  readonly name: string
  /** Of itself, entities decoded; '' where it has elements. */
  readonly text: string
  readonly children: readonly XmlElement[]
}

const token = /<\?[^>]*\?>|<!--[\s\S]*?-->|<(\/?)([A-Za-z_][\w.:-]*)[^<>]*?(\/?)>|([^<]+)/gy

/** The root element of what an SDK sends: elements and text, attributes passed over. Undefined for what is not well formed. */
export function parseXml(text: string): XmlElement | undefined {
  type Open = { name: string; text: string; children: XmlElement[] }
  const root: Open = { name: '', text: '', children: [] }
  const open: Open[] = [root]
  token.lastIndex = 0
  while (token.lastIndex < text.length) {
    const found = token.exec(text)
    if (found === null) return undefined
    const [, close, name, isEmpty, words] = found
    const inside = open.at(-1)!
    if (words !== undefined) inside.text += decoded(words)
    else if (close === '/') {
      if (open.length < 2 || inside.name !== name) return undefined
      open.pop()
    } else if (name !== undefined) {
      const child: Open = { name, text: '', children: [] }
      inside.children.push(child)
      if (isEmpty !== '/') open.push(child)
    }
  }
  return open.length === 1 && root.children.length === 1 ? root.children[0] : undefined
}

/** Text of the child with that name. */
export function childText(parent: XmlElement, name: string): string | undefined {
  return parent.children.find((child) => child.name === name)?.text
}

const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function decoded(text: string): string {
  return text.replace(
    /&(?:#x([0-9a-fA-F]+)|#(\d+)|(\w+));/g,
    (whole, hex?: string, decimal?: string, name?: string) => {
      if (name !== undefined) return named[name] ?? whole
      return String.fromCodePoint(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16))
    },
  )
}
