import { isLoopback } from '../../config/addresses.ts'
import { expandGlob } from '../../config/glob.ts'
import { OPEN_DOOR } from '../../config/validate.ts'
import { type Finding, type Look, ok, warn } from './finding.ts'

/** Who may ask what over HTTP, and which scripts may be pushed so. */
export const lookAtDoor: Look = ({ config }) => {
  if (config?.settings.http === undefined) return []
  const { http, scriptAllow = [] } = config.settings
  const { secret, secretRead, secretPush, secretPull } = config.settings
  const isOpen = [secret, secretRead, secretPush, secretPull].every(one => one === undefined)
  const address = `${http.host}:${http.port}`
  const door =
    isOpen && isLoopback(http.host)
      ? warn('http', `${address} ${OPEN_DOOR}`, 'set secret in [taskd]')
      : ok('http', `${address} asks for a secret`)
  const empty = scriptAllow.filter(one => expandGlob(one, '/').length === 0)
  return [
    door,
    ...empty.map(
      (one): Finding => warn('script_allow', `${one} names no file`, 'correct it, or take it out'),
    ),
  ]
}
