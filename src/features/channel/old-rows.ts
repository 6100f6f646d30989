import { turns } from '../../api/body.ts'
import { TaskdError } from '../../lib/errors.ts'
import type { ChannelSpec } from '../../model/channel.ts'
import { isRow } from './check-rows.ts'

/** Of all channels together. */
const MAX_ROWS = 100_000

/** Rows of one channel, at most as many as it takes at once. */
export interface OldRows {
  readonly channel: string
  readonly rows: readonly unknown[]
}

type Wanted = Pick<ChannelSpec, 'name' | 'columns' | 'maxRows'>

/**
 * The rows of a request on an old path, by channel. They come as `[{"channel":"1","data_list":[…]},
 * …]`, or with the header `channel` as a list of values: values in the order of `columns`. Lists of
 * objects, or of such lists, are rows too.
 * @param body `{rows}` for a list, else the object that was sent
 * @param named the header `channel`
 * @throws TaskdError E_BAD_ROWS, E_NO_CHANNEL, E_TOO_LARGE
 */
export async function readOldRows(
  body: Readonly<Record<string, unknown>>,
  named: string | undefined,
  channels: readonly Wanted[],
): Promise<OldRows[]> {
  const given = Array.isArray(body['rows']) ? body['rows'] : [body]
  if (given.length > MAX_ROWS)
    throw new TaskdError(
      'E_TOO_LARGE',
      `the body has more than ${MAX_ROWS} rows`,
      'send them in several requests',
    )
  const one = given.length > 0 && given.every(value => typeof value !== 'object' || value === null)
  const entries: unknown[] = one ? [given] : given
  const found = new Map<Wanted, unknown[]>()
  for (const [index, entry] of entries.entries()) {
    await turns.wait()
    const wrapped = isRow(entry) && Array.isArray(entry['data_list']) ? entry : undefined
    const channel = find(wrapped?.['channel'] ?? named, channels)
    const row = rowOf(wrapped ? wrapped['data_list'] : entry, channel, index)
    const rows = found.get(channel)
    if (rows) rows.push(row)
    else found.set(channel, [row])
  }
  return [...found].flatMap(([{ name, maxRows }, rows]) =>
    Array.from({ length: Math.ceil(rows.length / maxRows) }, (_, n) => ({
      channel: name,
      rows: rows.slice(n * maxRows, (n + 1) * maxRows),
    })),
  )
}

function find(named: unknown, channels: readonly Wanted[]): Wanted {
  const name = typeof named === 'number' ? String(named) : named
  const [only] = channels
  if (name === undefined && channels.length === 1 && only !== undefined) return only
  const names = channels.map(one => one.name).join(', ')
  if (name === undefined)
    throw new TaskdError(
      'E_BAD_ROWS',
      `this path leads to several channels: ${names}`,
      'say which in the header channel, or beside each data_list',
    )
  const found = channels.find(one => one.name === name)
  if (found !== undefined) return found
  const shown = typeof name === 'string' ? name.slice(0, 64) : 'that is no text'
  const hint = `it leads to ${names}. a section is called [channel:NAME] as clients call it`
  throw new TaskdError('E_NO_CHANNEL', `this path leads to no channel ${shown}`, hint)
}

function rowOf(entry: unknown, { name, columns }: Wanted, index: number): unknown {
  if (!Array.isArray(entry)) return entry
  if (entry.length === columns.length)
    return Object.fromEntries(columns.map(({ field }, n) => [field, entry[n] as unknown]))
  const what = `rows[${index}]: has ${entry.length} values, and channel ${name} has ${columns.length} columns`
  const fields = columns.map(column => column.field).join(', ')
  throw new TaskdError('E_BAD_ROWS', what, `send them in this order: ${fields}`)
}
