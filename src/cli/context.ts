import { existsSync } from 'node:fs'
import type { Control } from '../api/control.ts'
import type { Environment } from '../config/config.ts'
import { findConfigFile } from '../config/find.ts'
import { TaskdError } from '../lib/errors.ts'
import { findSocket } from './find-daemon.ts'
import type { Output } from './output.ts'

/** What every command may use. */
export interface Context {
  readonly env: Environment
  readonly cwd: string
  readonly out: Output
  /** Absolute; it need not exist. */
  readonly configFile: string
  /** The daemon that this configuration belongs to. */
  readonly daemon: () => Promise<Control>
}

/** Options as the command line gave them; a repeated one counts once, the last. */
export type Options = Readonly<Record<string, string | boolean | undefined>>

export type Command = (
  context: Context,
  args: readonly string[],
  options: Options,
) => Promise<number>

export interface World {
  readonly env: Environment
  readonly cwd: string
  readonly out: Output
}

export function createContext(world: World, configFlag: string | undefined): Context {
  const configFile = findConfigFile(configFlag, world.env, world.cwd)
  // A socket without a file means the daemon that listens there, whatever it reads.
  const { TASKD_CONFIG: named, TASKD_SOCKET: socketNamed } = world.env
  const meant = socketNamed && !configFlag && !named ? undefined : configFile
  return {
    ...world,
    configFile,
    daemon: async () => {
      const socket = await findSocket(configFile, world.env)
      if (!existsSync(socket) && !existsSync(configFile))
        throw new TaskdError(
          'E_NO_DAEMON',
          `no taskd to be found: there is no configuration ${configFile}`,
          'name one with -c or TASKD_CONFIG',
        )
      const { createClient } = await import('../api/client.ts')
      return createClient(socket, undefined, meant)
    },
  }
}

/** The text of an option, or undefined. */
export function text(options: Options, name: string): string | undefined {
  const value = options[name]
  return typeof value === 'string' ? value : undefined
}
