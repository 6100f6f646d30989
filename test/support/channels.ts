import { type RawBuilder, sql } from 'kysely'
import { readColumns } from '../../src/config/columns.ts'
import { Channels } from '../../src/features/channel/channels.ts'
import type { Clock } from '../../src/lib/clock.ts'
import { realClock } from '../../src/lib/clock.ts'
import type { ChannelSpec } from '../../src/model/channel.ts'
import { parseAddress } from '../../src/store/address.ts'
import { openDatabase } from '../../src/store/dialect.ts'
import type { AnyDb } from '../../src/store/migrations/steps.ts'
import { recordedLog } from './logs.ts'

/** A channel `orders` with the columns id and note, unless told otherwise. */
export function channelSpec(
  database: string,
  {
    columns = 'id!:int, note',
    ...other
  }: Partial<Omit<ChannelSpec, 'columns'>> & { columns?: string } = {},
): ChannelSpec {
  const read = readColumns(columns)
  if (!read.ok) throw new Error(read.reason)
  const rest = { maxRows: 100_000, spoolMax: 1 << 30, encrypt: [], keys: [], legacyPaths: [] }
  return { name: 'orders', database, table: 'orders', columns: read.value, ...rest, ...other }
}

export interface OrdersTable {
  readonly db: AnyDb
  /** The ids in it, in the order in which they came. */
  ids(): Promise<number[]>
  close(): Promise<void>
}

const SERIAL: Readonly<Record<string, RawBuilder<unknown>>> = {
  sqlite: sql`create table orders (seq integer primary key autoincrement, id integer unique, note text)`,
  mysql: sql`create table orders (seq bigint auto_increment primary key, id bigint unique,
    note varchar(255)) engine = InnoDB`,
  postgres: sql`create table orders (seq bigserial primary key, id bigint unique, note varchar(255))`,
}

/** Makes the table that `channelSpec` speaks of. */
export async function ordersTable(url: string): Promise<OrdersTable> {
  const address = parseAddress(url)
  const db = openDatabase(address) as AnyDb
  await SERIAL[address.kind]?.execute(db)
  return {
    db,
    async ids() {
      const rows = await db.selectFrom('orders').select('id').orderBy('seq').execute()
      return rows.map(row => Number(row['id']))
    },
    close: () => db.destroy(),
  }
}

/** Channels with nothing else of the daemon. */
export function channelsOf(
  specs: readonly ChannelSpec[],
  dataDir: string,
  clock: Clock = realClock,
) {
  const recorded = recordedLog()
  const made = new Channels({ dataDir, clock, random: () => 0.5, log: recorded.log })
  const channels = Object.assign(made, { start: () => made.configure(specs) })
  return { channels, log: recorded }
}
