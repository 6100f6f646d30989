import { userInfo } from 'node:os'
import type { ChangeResult } from '../api/control.ts'
import type { Context, Options } from './context.ts'
import { EXIT } from './exit.ts'
import { clean } from './render.ts'

/** Starts, stops or restarts by name; one line for each, as supervisorctl answers. */
export async function changeByName(
  action: 'start' | 'stop' | 'restart',
  names: readonly string[],
  context: Context,
  options: Options,
): Promise<number> {
  const daemon = await context.daemon()
  return printChanges(await daemon.change(action, names, whoAsks(context.env)), context, options)
}

export function printChanges(
  results: readonly ChangeResult[],
  { out }: Pick<Context, 'out'>,
  options: Options,
): number {
  if (options['json']) out.json(results)
  else
    for (const { name, ok, message } of results) {
      const line = clean(`${name}: ${message}`)
      if (ok) out.line(line)
      else out.note(line)
    }
  return results.every(one => one.ok) ? EXIT.ok : EXIT.failed
}

/** For `taskd why`: the user who typed it, not the one that sudo switched to. */
export function whoAsks(env: Context['env']): string {
  try {
    return `by ${env['SUDO_USER'] || userInfo().username}`
  } catch {
    // A uid that no user has, as in many containers.
    return `by uid ${process.getuid?.() ?? '?'}`
  }
}
