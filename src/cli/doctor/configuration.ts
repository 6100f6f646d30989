import { formatProblem } from '../../config/diagnostics.ts'
import { contentsOf } from '../contents.ts'
import { fail, type Look, ok } from './finding.ts'

export const lookAtConfiguration: Look = ({ configFile, loaded }) => {
  if (loaded.ok) {
    return [ok('configuration', `${configFile}: ${contentsOf(loaded.config)}`)]
  }
  const [first] = loaded.problems
  const more = loaded.problems.length - 1
  const rest = more > 0 ? ` (and ${more} more)` : ''
  const what = first === undefined ? 'cannot be read' : formatProblem(first)
  return [fail('configuration', `${what}${rest}`, 'correct it: taskd check shows every mistake')]
}

export const lookAtDaemon: Look = ({ status }) => {
  if (status === undefined) return [ok('daemon', 'does not run; taskd start starts it')]
  const { state, pid, version, node } = status
  return [ok('daemon', `${state}: pid ${pid}, taskd ${version}, node ${node}`)]
}
