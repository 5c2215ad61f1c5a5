/** What stored bytes survive the loss of: nothing but the call (`memory`), the process (`disk`), a machine (`zone`), a zone (`region`). */
export type Durability = 'memory' | 'disk' | 'zone' | 'region'
