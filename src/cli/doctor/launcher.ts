import { fileURLToPath } from 'node:url'
import { runsHere } from '../../lib/native.ts'
import { shipped } from '../../lib/shipped.ts'
import { type Look, ok, warn } from './finding.ts'
import { findProgram } from './programs.ts'

/** Beside the workers, where scripts/build puts it. */
const COMPILED = fileURLToPath(shipped('workers/launcher'))

/** What starts the scripts of tasks: see docs/decisions/005-compiled-launcher.md. */
export const lookAtLauncher: Look = async ({ env }) => {
  if (findProgram(COMPILED, env) !== undefined && (await runsHere(COMPILED)))
    return [ok('launcher', 'the compiled one starts the scripts')]
  if (findProgram('perl', env) !== undefined)
    return [
      ok('launcher', 'perl starts the scripts; with gcc, scripts/build makes one that is quicker'),
    ]
  const message = 'Node itself starts the scripts, which takes several times as much CPU'
  return [
    warn('launcher', message, 'apt-get install perl-base, or gcc libc6-dev and scripts/build'),
  ]
}
