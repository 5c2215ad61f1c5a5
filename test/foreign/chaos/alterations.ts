import { widenings } from './columns.ts'
import type { ColumnPath } from './columns.ts'
import type { Operation, Outcome, Scene } from './operation.ts'
import { isSortedBy } from './refusals.ts'

/** The columns that partition specs and predicates do not need. */
const droppable = ['note', 'heat', 'paid', 'level', 'spot.label', 'spot.lat', 'marks.weight'] as const
const nestedOnes = ['spot.zone', 'spot.label', 'marks.name', 'marks.weight'] as const

/** One that is there, told by a number. */
function present<P extends ColumnPath>({ model }: Scene, of: readonly P[], at: number): P | undefined {
  const there = of.filter((path) => model.columns.isThere(path))
  return there[at % there.length]
}

/** Without those that its sort orders name: once such a column is gone, Spark writes the table no more, whatever the order is now. */
const unsorted = <P extends ColumnPath>(scene: Scene, of: readonly P[]): P[] => {
  const { columns } = scene.model
  return of.filter((path) => columns.isThere(path) && !isSortedBy(scene, columns.sql(path)))
}

const alter = ({ stranger }: Scene, change: string, happened: () => void): Promise<void> =>
  stranger.sql(`ALTER TABLE ${stranger.table} ${change}`, happened)

async function rename(scene: Scene, path: ColumnPath, name: string): Promise<void> {
  const { columns } = scene.model
  await alter(scene, `RENAME COLUMN ${columns.sql(path)} TO ${name}`, () => columns.rename(path, name))
}

async function drop(scene: Scene, path: ColumnPath): Promise<void> {
  const { model } = scene
  await alter(scene, `DROP COLUMN ${model.columns.sql(path)}`, () => {
    model.columns.drop(path)
    model.changedColumns()
  })
}

async function add(scene: Scene, name: string): Promise<void> {
  const { extras } = scene.model.columns
  await alter(scene, `ADD COLUMN ${name} STRING`, () => void extras.push({ name, initial: null }))
}

/** Changes columns and the format: rows stay, as far as their columns do. */
export const alterations: readonly Operation[] = [
  {
    name: 'add a column and fill it',
    async work(scene, [a]): Promise<Outcome> {
      const { model, stranger } = scene
      if (model.columns.extras.length >= 3) return 'nothing'
      const name = model.columns.newName('extra')
      await add(scene, name)
      // By files anew, whichever way updates are written: it is about the column.
      await stranger.sql(`UPDATE ${stranger.table} SET ${name} = 'x${a}' WHERE id % 4 = ${a % 4}`, () =>
        model.change((row) =>
          row.values.id !== null && row.values.id % 4 === a % 4
            ? { ...row, extras: { ...row.extras, [name]: `x${a}` } }
            : row,
        ),
      )
      return 'done'
    },
  },
  {
    name: 'rename a column',
    async work(scene, [a]) {
      const path = present(scene, ['city', 'note', 'level', 'paid'], a)!
      await rename(scene, path, scene.model.columns.newName(path))
    },
  },
  {
    name: 'swap the names of two columns',
    async work(scene): Promise<Outcome> {
      const { columns } = scene.model
      if (!columns.isThere('note')) return 'nothing'
      const [city, note] = [columns.sql('city'), columns.sql('note')]
      await rename(scene, 'city', columns.newName('swap'))
      await rename(scene, 'note', city)
      await rename(scene, 'city', note)
      return 'done'
    },
    // Where the table is, or was, partitioned by one of them.
    refusals: [
      {
        says: /Cannot create identity partition sourced from different field/,
        when: ({ stranger }) => stranger.metadata['partition-specs'].some(({ fields }) => fields.length > 0),
      },
    ],
  },
  {
    name: 'rename a nested column',
    needs: 'evolution',
    async work(scene, [a]): Promise<Outcome> {
      const path = present(scene, nestedOnes, a)
      if (path === undefined) return 'nothing'
      await rename(scene, path, scene.model.columns.newName('member'))
      return 'done'
    },
  },
  {
    name: 'widen a column',
    needs: 'evolution',
    async work(scene, [a]): Promise<Outcome> {
      const { columns } = scene.model
      const path = present(
        scene,
        widenings.filter((each) => !columns.isWide(each)),
        a,
      )
      if (path === undefined) return 'nothing'
      const type = columns.copy().widen(path)
      await alter(scene, `ALTER COLUMN ${columns.sql(path)} TYPE ${type}`, () => void columns.widen(path))
      return 'done'
    },
  },
  {
    name: 'drop a column',
    needs: 'evolution',
    async work(scene, [a]): Promise<Outcome> {
      const path = present(scene, unsorted(scene, droppable), a)
      if (path === undefined) return 'nothing'
      await drop(scene, path)
      return 'done'
    },
  },
  {
    name: 'drop a column and add one of its name',
    needs: 'evolution',
    async work(scene, [a]): Promise<Outcome> {
      const path = present(scene, unsorted(scene, ['note', 'paid']), a)
      if (path === undefined || scene.model.columns.extras.length >= 3) return 'nothing'
      const name = scene.model.columns.sql(path)
      await drop(scene, path)
      await add(scene, name)
      return 'done'
    },
  },
  {
    name: 'add a nested column',
    needs: 'evolution',
    async work(scene): Promise<Outcome> {
      const { columns } = scene.model
      if (columns.extrasOfSpot.length >= 2) return 'nothing'
      const name = columns.newName('more')
      const member = `${columns.sql('spot')}.${name}`
      await alter(scene, `ADD COLUMN ${member} INT`, () => void columns.extrasOfSpot.push(name))
      return 'done'
    },
  },
  {
    name: 'add a column with a default',
    needs: 'format 3',
    async work({ model, stranger }, [a]): Promise<Outcome> {
      const { columns } = model
      if (stranger.metadata['format-version'] < 3 || columns.extras.length >= 3) return 'nothing'
      const [name, initial] = [columns.newName('given'), `d${a}`]
      await stranger.iceberg({ do: 'addColumn', name, type: 'string', default: initial }, () => {
        columns.extras.push({ name, initial })
      })
      return 'done'
    },
  },
  {
    name: 'upgrade to format 3',
    needs: 'format 3',
    async work(scene): Promise<Outcome> {
      if (scene.stranger.metadata['format-version'] >= 3) return 'nothing'
      await alter(scene, `SET TBLPROPERTIES ('format-version' = '3')`, () => {})
      return 'done'
    },
  },
]
