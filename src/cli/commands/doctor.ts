import type { Status } from '../../api/status.ts'
import { messageOf, TaskdError } from '../../lib/errors.ts'
import type { Command, Context } from '../context.ts'
import { lookAtConfiguration, lookAtDaemon } from '../doctor/configuration.ts'
import { lookAtDatabase } from '../doctor/database.ts'
import { lookAtDoor } from '../doctor/door.ts'
import { type Finding, fail, type Look } from '../doctor/finding.ts'
import { lookAtFolders } from '../doctor/folders.ts'
import { lookAtLauncher } from '../doctor/launcher.ts'
import { lookAtNode } from '../doctor/node.ts'
import { lookAtRedis } from '../doctor/redis.ts'
import { lookAtScripts } from '../doctor/scripts.ts'
import { lookAtSystemd } from '../doctor/systemd.ts'
import { lookAtClock, lookAtZones } from '../doctor/time.ts'
import { EXIT } from '../exit.ts'
import { readConfig } from '../load.ts'
import type { Output } from '../output.ts'
import { clean, pad, wrap } from '../render.ts'

const LOOKS: readonly Look[] = [
  lookAtNode,
  lookAtConfiguration,
  lookAtDaemon,
  lookAtDoor,
  lookAtRedis,
  lookAtDatabase,
  lookAtFolders,
  lookAtScripts,
  lookAtLauncher,
  lookAtZones,
  lookAtClock,
  lookAtSystemd,
]

export const run: Command = async (context, _args, options) => {
  const { out, env, configFile } = context
  const loaded = readConfig(context)
  const { status, trouble } = await askDaemon(context)
  const config = loaded.ok ? loaded.config : undefined
  const patient = { env, configFile, loaded, config, status }
  const found = await Promise.all(LOOKS.map(async look => look(patient)))
  const findings = [...found.flat(), ...trouble]
  if (options['json']) out.json(findings)
  else for (const finding of findings) for (const line of findingLines(finding, out)) out.line(line)
  return findings.some(one => one.level === 'fail') ? EXIT.failed : EXIT.ok
}

/** No daemon is not a fault; a daemon that cannot be asked is. */
async function askDaemon(
  context: Context,
): Promise<{ status: Status | undefined; trouble: Finding[] }> {
  try {
    const daemon = await context.daemon()
    return { status: await daemon.status(), trouble: [] }
  } catch (error) {
    if (!(error instanceof TaskdError)) throw error
    const trouble =
      error.code === 'E_NO_DAEMON' ? [] : [fail('daemon', messageOf(error), error.hint)]
    return { status: undefined, trouble }
  }
}

const MARK_WIDTH = 6
const NAME_WIDTH = 18

function findingLines({ name, level, message, remedy }: Finding, out: Output): string[] {
  const { colours, width } = out
  const paint = { ok: colours.green, warn: colours.yellow, fail: colours.red }[level]
  const indent = ' '.repeat(MARK_WIDTH + NAME_WIDTH)
  const text = wrap(clean(message), width - indent.length)
  const advice = remedy === '' ? [] : wrap(`-> ${remedy}`, width - indent.length)
  const [first = '', ...rest] = [...text, ...advice]
  const head = `${paint(level)}${' '.repeat(MARK_WIDTH - level.length)}${pad(name, NAME_WIDTH)}`
  return [`${head}${first}`, ...rest.map(line => `${indent}${line}`)]
}
