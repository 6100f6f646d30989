import { relative } from 'node:path'
import { count } from '../../lib/count.ts'
import { contentsOf } from '../contents.ts'
import type { Command } from '../context.ts'
import { EXIT } from '../exit.ts'
import { readConfig } from '../load.ts'
import { problemLine } from '../problem-line.ts'

/** Only reads: it needs no daemon, no Redis and no database. */
export const run: Command = async (context, _args, options) => {
  const { out, cwd, configFile } = context
  const loaded = readConfig(context)
  const code = loaded.ok ? EXIT.ok : EXIT.usage
  if (options['json']) {
    out.json(loaded.ok ? [] : loaded.problems)
    return code
  }
  const near = relative(cwd, configFile)
  const name = near.startsWith('..') ? configFile : near
  for (const note of loaded.notes) out.line(`note: ${problemLine(note, cwd)}`)
  if (loaded.ok) {
    out.line(`${name} is in order: ${contentsOf(loaded.config)}`)
    return code
  }
  for (const problem of loaded.problems) out.line(problemLine(problem, cwd))
  out.note(`taskd: ${count(loaded.problems.length, 'mistake')} in ${name}`)
  return code
}
