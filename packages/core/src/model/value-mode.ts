/** What a topic's table keeps of values: their bytes, their columns, or both. */
export type ValueMode = 'raw' | 'columns' | 'columns+raw'
