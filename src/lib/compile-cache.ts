import { fileURLToPath } from 'node:url'
import { shipped } from './shipped.ts'

/** Node 22 and newer keep compiled code in the folder that this names. Node 20 knows nothing of it. */
const VARIABLE = 'NODE_COMPILE_CACHE'
/** The one that bin/taskd names. */
const FOLDER = fileURLToPath(shipped('compiled'))

/** For the environment of a process that runs our own code. */
export const COMPILE_CACHE: Readonly<Record<string, string>> = { [VARIABLE]: FOLDER }

/** Takes our folder out of the environment, so that scripts and programs do not write there. */
export function hideCompileCache(env: NodeJS.ProcessEnv): void {
  if (env[VARIABLE] === FOLDER) delete env[VARIABLE]
}
