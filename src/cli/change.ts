import type { Context, Options } from './context.ts'
import { EXIT } from './exit.ts'
import { clean } from './render.ts'

/** Starts, stops or restarts by name; one line for each, as supervisorctl answers. */
export async function changeByName(
  action: 'start' | 'stop' | 'restart',
  names: readonly string[],
  { out, daemon }: Context,
  options: Options,
): Promise<number> {
  const results = await (await daemon()).change(action, names)
  if (options['json']) out.json(results)
  else
    for (const { name, ok, message } of results) {
      const line = clean(`${name}: ${message}`)
      if (ok) out.line(line)
      else out.note(line)
    }
  return results.every(one => one.ok) ? EXIT.ok : EXIT.failed
}
