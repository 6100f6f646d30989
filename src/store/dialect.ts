import { type Dialect, Kysely, MysqlDialect, PostgresDialect, SqliteDialect } from 'kysely'
import type { Address } from './address.ts'
import { openMysql } from './mysql.ts'
import { DEFAULT_LIMITS, type Limits } from './pool.ts'
import { openPostgres } from './postgres.ts'
import { openSqlite } from './sqlite.ts'
import type { Db, Tables } from './tables.ts'

/** Nothing is loaded or connected before the first statement; a failed opening is tried again. */
export function openDatabase(address: Address, limits: Limits = DEFAULT_LIMITS): Db {
  return new Kysely<Tables>({ dialect: dialectOf(address, limits) })
}

function dialectOf(address: Address, limits: Limits): Dialect {
  if (address.kind === 'sqlite')
    return new SqliteDialect({ database: () => openSqlite(address.path, limits.creates ?? false) })
  if (address.kind === 'postgres')
    return new PostgresDialect({ pool: () => openPostgres(address, limits) })
  return new MysqlDialect({ pool: () => openMysql(address, limits) })
}
