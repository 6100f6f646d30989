import { type RawBuilder, sql } from 'kysely'
import type { Db, SqlKind } from './tables.ts'

/** The rows are dealt out over this many buckets by the last bits of their ids. */
export const BUCKETS = 64

export const bucketOf = (id: number): number => id & (BUCKETS - 1)

/**
 * A digest of the content of each bucket, computed by the database: of the columns by which a
 * job is defined, and so neither of `status` and `extra`, which we write ourselves, nor of
 * `update_at`, which has a second's resolution, follows a clock that may be set back, and can be set
 * by hand. 64 short values are sent whether there are five rows or five thousand.
 */
export async function readDigests(db: Db, kind: SqlKind): Promise<Map<number, string>> {
  const bucket = sql<number | string>`id & ${sql.lit(BUCKETS - 1)}`
  const rows = await db
    .selectFrom('task')
    .select([
      bucket.as('bucket'),
      sql<number | string>`count(*)`.as('rows'),
      DIGEST[kind].as('sum'),
    ])
    .groupBy(bucket)
    .execute()
  return new Map(rows.map(row => [Number(row.bucket), `${row.rows} ${row.sum}`]))
}

const separator = sql.lit('\u001f')

const DIGEST: Readonly<Record<SqlKind, RawBuilder<number | string>>> = {
  // The outer one takes the inner's decimal digits: a sum of bare CRCs, which are linear, stays the
  // same rather often when two rows swap a value.
  mysql: sql<number>`sum(crc32(crc32(concat_ws(
    ${separator}, id, task_key, execute_func, \`trigger\`, spec, args, is_valid))))`,
  postgres: sql<string>`sum(hashtextextended(concat_ws(
    ${separator}, id, task_key, execute_func, "trigger", spec, args, is_valid), 0))`,
  // SQLite has no hash function and no network to spare, so the text itself. The casts are because
  // JSON takes no BLOB.
  sqlite: sql<string>`group_concat(json_array(id, cast(task_key as text), cast(execute_func as text),
    cast("trigger" as text), cast(spec as text), cast(args as text), cast(is_valid as text)))`,
}
