/** The newest run of a job: its tick, and its own verdict or how far it is. */
export interface LastRunStatus {
  /** The tick of the newest run, or when a person asked for it; null when there was none, or none is known. */
  readonly last: string | null
  readonly last_id: string
  /** The verdict of this very run; '' while it has none. */
  readonly last_code: string
  /** '' when there was none; `unknown` when Redis does not tell. */
  readonly last_state: '' | 'waiting' | 'running' | 'ended' | 'unknown'
  /** When a run that is not over began. */
  readonly last_since: string | null
  readonly last_by: '' | 'schedule' | 'hand'
}
