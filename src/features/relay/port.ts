/** What the routes of relays may ask of the daemon. */
export interface RelayPort {
  /** Takes tasks off the list of the other Redis. @throws TaskdError E_NO_RELAY, E_RELAY_AWAY */
  take(relay: string, count: number | undefined): Promise<readonly RelayTask[]>
  /** Puts results on its list and lets go of tasks, both or neither. @throws as `take` */
  push(relay: string, report: RelayReport): Promise<RelayReceipt>
}

export type RelayTask = { readonly id: string } & (
  | { readonly task: string }
  /** When it is not UTF-8. */
  | { readonly task_base64: string }
)

export interface RelayReport {
  readonly results: readonly unknown[]
  /** Tasks that are dealt with. */
  readonly done: readonly string[]
  /** The client's own name for this report: one that comes twice counts once. */
  readonly batchId?: string | undefined
}

export interface RelayReceipt {
  readonly pushed: number
  readonly done: number
  /** Ids that nobody holds: acknowledged before, or given back after their lease. */
  readonly unknown: readonly string[]
  readonly duplicate?: true
}
