import type { TailSource } from '../../api/control.ts'
import type { Clock } from '../../lib/clock.ts'
import { TaskdError } from '../../lib/errors.ts'
import { checkTail, tailFile } from '../../logs/tail.ts'
import type { Supervisor } from './supervisor.ts'

/** The log file of one stream of a program. */
export function programTail(supervisor: Supervisor, clock: Clock): TailSource {
  return async (name, { lines, follow, stream = 'stdout' }, signal) => {
    const known = supervisor.members.filter(
      ({ spec }) => spec.name === name || spec.group === name || spec.program === name,
    )
    const member = known.find(({ spec }) => spec.name === name) ?? known[0]
    if (!member) return undefined
    if (known.length > 1 && member.spec.name !== name)
      throw new TaskdError(
        'E_NO_NAME',
        `${name} has ${known.length} processes`,
        `name one of them, such as ${member.spec.name}`,
      )
    const { spec } = member
    const output = stream === 'stderr' && spec.stderr !== 'stdout' ? spec.stderr : spec.stdout
    if (output.kind === 'file') {
      await checkTail(output.path)
      return tailFile(output.path, { lines, follow, signal, clock })
    }
    const where = output.kind === 'none' ? 'is thrown away' : 'goes where the output of taskd goes'
    throw new TaskdError(
      'E_NO_LOG',
      `${stream} of ${name} ${where}`,
      `set ${stream}_logfile in its section to keep it in a file`,
    )
  }
}
