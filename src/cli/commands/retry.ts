import type { Command } from '../context.ts'
import { forEachId } from '../each-id.ts'

export const run: Command = async (context, ids, options) => {
  const daemon = await context.daemon()
  return forEachId(
    ids,
    id => daemon.retry(id),
    context,
    options,
    () => 'back on its queue',
  )
}
