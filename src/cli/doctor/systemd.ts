import { existsSync } from 'node:fs'
import { type Look, ok, warn } from './finding.ts'
import { findProgram } from './programs.ts'

/** Only a machine that systemd runs needs it. */
export const lookAtSystemd: Look = ({ env }) => {
  const found = findProgram('systemd-notify', env)
  if (found !== undefined) return [ok('systemd-notify', `at ${found}`)]
  if (!existsSync('/run/systemd/system'))
    return [ok('systemd-notify', 'is not needed: systemd does not run here')]
  const message = 'is not installed: a unit with Type=notify never counts as started'
  return [
    warn('systemd-notify', message, 'apt-get install systemd, or write Type=exec in the unit'),
  ]
}
