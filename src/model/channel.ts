/** Channels and relays as they are configured, and the names they may have. */

export const COLUMN_TYPES = ['any', 'text', 'int', 'number', 'bool', 'time', 'json'] as const
export type ColumnType = (typeof COLUMN_TYPES)[number]

/** Where one field of a row goes. */
export interface ColumnSpec {
  /** Its name in the rows. */
  readonly field: string
  /** Its name in the table. */
  readonly column: string
  readonly required: boolean
  readonly type: ColumnType
  /** The most characters that a text may have. */
  readonly most: number
}

/** `id`, and 32 bytes in base64. Text and not bytes, because a configuration is frozen. */
export interface KeySpec {
  readonly id: string
  readonly key: string
}

export interface ChannelSpec {
  readonly name: string
  /** A URL: sqlite, mysql, postgres. */
  readonly database: string
  readonly table: string
  readonly columns: readonly ColumnSpec[]
  /** Rows of one batch. */
  readonly maxRows: number
  /** Bytes that may wait on disk while the database is away; 0: nothing waits. */
  readonly spoolMax: number
  /** The fields that are encrypted. */
  readonly encrypt: readonly string[]
  /** The first one encrypts, all decrypt. */
  readonly keys: readonly KeySpec[]
  /** The service that encrypts instead of us. */
  readonly encryptUrl?: string
  /** The paths on which clients of another scheduler ask for it. */
  readonly legacyPaths: readonly string[]
}

export interface RelaySpec {
  readonly name: string
  /** A URL: redis, rediss, unix, sentinel, cluster. */
  readonly redis: string
  /** The list that tasks are taken from. */
  readonly list: string
  /** The end of it that they are taken from. */
  readonly take: 'left' | 'right'
  /** The list that results are put at the right end of. */
  readonly results?: string
  /** Tasks at once. */
  readonly max: number
  /** A task that is not acknowledged for so long goes back. */
  readonly leaseMs: number
  /** The paths on which clients of another scheduler ask for it. */
  readonly legacyPaths: readonly string[]
}

/** Channels have folders called after them: so no `..`, and nothing hidden. */
const NAME = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}$/

export function isChannelName(name: string): boolean {
  return NAME.test(name)
}

/** The limit of a text whose column names none. */
export const MOST_CHARACTERS = 1 << 20

/** A row: as it was sent its keys are fields, as it goes into the table they are columns. */
export type Row = Readonly<Record<string, unknown>>
export type Stored = string | number | boolean | null
export type StoredRow = Readonly<Record<string, Stored>>
