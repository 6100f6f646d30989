/** What the routes of channels may ask of the daemon. */
export interface DataPort {
  /**
   * Puts rows into the table of a channel, all or none; while its database is away, on disk.
   * @throws TaskdError E_NO_CHANNEL, E_BAD_ROWS, E_FULL, E_DATABASE_AWAY
   */
  insert(channel: string, batch: DataBatch): Promise<DataAnswer>
}

export interface DataBatch {
  readonly rows: readonly unknown[]
  /** The client's own name for the batch: one that comes twice is stored once. */
  readonly batchId?: string | undefined
}

export type DataAnswer = (
  | { readonly inserted: number }
  /** On disk, in order, and on its way into the table. */
  | { readonly spooled: number }
) & {
  /** This batch was there before; nothing was stored now. */
  readonly duplicate?: true
}

/** As `taskd status --json` shows it. */
export interface ChannelStatus {
  readonly name: string
  readonly table: string
  /** Where, without the password. */
  readonly database: string
  readonly ok: boolean
  /** What is wrong, in words; '' when nothing is. */
  readonly error: string
  /** Since when it is as it is, ISO 8601. */
  readonly since: string
  /** Batches and bytes that wait on disk. */
  readonly backlog: number
  readonly backlog_bytes: number
  /** Batches that the database refused when they came up; they lie in files. */
  readonly bad: number
  /** Rows since the start. */
  readonly inserted: number
}
