import { messageOf, TaskdError } from '../../lib/errors.ts'
import type { ChannelSpec } from '../../model/channel.ts'
import { SpoolFullError } from './spool.ts'

/** The errors of a channel for requests that it does not take. */

export function badRows(channel: string, problems: readonly string[], more: number): TaskdError {
  const rest = more > 0 ? `; and ${more} more` : ''
  return new TaskdError(
    'E_BAD_ROWS',
    `channel ${channel} takes none of these rows: ${problems.join('; ')}${rest}`,
  )
}

export function tooBusy(channel: string): TaskdError {
  return new TaskdError(
    'E_FULL',
    `channel ${channel} has too many batches in hand`,
    'send again in a moment, or fewer at once',
  )
}

export function spoolFailed({ name, spoolMax }: ChannelSpec, error: unknown): TaskdError {
  if (!(error instanceof SpoolFullError))
    return new TaskdError(
      'E_DATABASE_AWAY',
      `channel ${name}: the database is away or behind, and the disk takes nothing: ${messageOf(error)}`,
      'nothing of this batch was kept; send it again later',
    )
  const { count, bytes } = error.bad
  const aside = count > 0 ? `; ${count} batches that were refused take ${bytes} bytes of it` : ''
  return new TaskdError(
    'E_FULL',
    `channel ${name}: the database is away or behind, and spool_max = ${spoolMax} bytes is used up${aside}`,
    'nothing of this batch was kept; send it again later',
  )
}
