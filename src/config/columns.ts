import { didYouMeanOneOf } from '../lib/suggest.ts'
import { COLUMN_TYPES, type ColumnSpec, MOST_CHARACTERS } from '../model/channel.ts'
import { no, type Read, yes } from './fields.ts'

const EXAMPLE = 'write for instance id!:int, phone:text(20)=phone_no, note'

/** `field`, `field!` (required), `field:type`, `field:text(20)`, `field=column`, and all of them. */
const ITEM =
  /^([\p{L}\p{N}_.-]{1,64})\s*(!?)\s*(?::\s*([a-z]+)(?:\((\d{1,8})\))?)?\s*(?:=\s*(\S+))?$/u
/** What every database takes between quotes without surprises. */
const COLUMN = /^[\p{L}_][\p{L}\p{N}_$]{0,62}$/u
const MAX_COLUMNS = 1000

/** `columns =` */
export const readColumns: Read<readonly ColumnSpec[]> = text => {
  const items = text.split(',').map(one => one.trim())
  if (items.length > MAX_COLUMNS) return no(`has more than ${MAX_COLUMNS} columns`)
  const columns: ColumnSpec[] = []
  for (const item of items) {
    const read = readColumn(item)
    if (!read.ok) return read
    const { field, column } = read.value
    if (columns.some(one => one.field === field))
      return no(`names the field ${field} twice`, 'keep one of them')
    if (columns.some(one => one.column.toLowerCase() === column.toLowerCase()))
      return no(`fills the column ${column} twice`, 'keep one of them')
    columns.push(read.value)
  }
  return yes(columns)
}

function readColumn(item: string): ReturnType<Read<ColumnSpec>> {
  const [, field, mark, word = 'any', length, column = field] = ITEM.exec(item) ?? []
  const shown = JSON.stringify(item.slice(0, 40))
  if (field === undefined || column === undefined)
    return no(
      item === '' ? 'has an empty part' : `has the part ${shown}, which is no column`,
      EXAMPLE,
    )
  if (!COLUMN.test(column)) {
    const hint = 'write field=column with a column of letters, digits and _, as the table has it'
    return no(`has ${JSON.stringify(column.slice(0, 40))}, which is no name for a column`, hint)
  }
  const type = COLUMN_TYPES.find(one => one === word)
  if (type === undefined) {
    const hint = didYouMeanOneOf(word, COLUMN_TYPES, `types: ${COLUMN_TYPES.join(', ')}`)
    return no(`has the type "${word}", which is not known`, hint)
  }
  if (length !== undefined && type !== 'text')
    return no(`has a length for ${field}, which is no text`, `write ${field}:text(${length})`)
  const most = length === undefined ? MOST_CHARACTERS : Number(length)
  if (most < 1 || most > MOST_CHARACTERS)
    return no(`has a length for ${field} that is not 1 to ${MOST_CHARACTERS}`)
  return yes({ field, column, required: mark === '!', type, most })
}

/** Whether a column may be called so. */
export function isColumn(text: string): boolean {
  return COLUMN.test(text)
}

/** `table`, or `schema.table`. */
export const readTable: Read<string> = text => {
  const parts = text.split('.')
  if (parts.length <= 2 && parts.every(part => COLUMN.test(part))) return yes(text)
  return no('is no name for a table', 'write table or schema.table, with letters, digits and _')
}
