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
