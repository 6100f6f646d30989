import type { Command } from '../context.ts'
import { forEachId } from '../each-id.ts'

export const run: Command = async (context, ids, options) => {
  const daemon = await context.daemon()
  return forEachId(
    ids,
    id => daemon.cancel(id),
    context,
    options,
    ({ was }) => (was === 'waiting' ? 'taken back before it ran' : 'told to end'),
  )
}
