import type { Config, Loaded } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import { KINDS } from '../features/index.ts'
import { openFilesLimit } from '../lib/proc.ts'
import { checkTrigger } from '../schedule/check.ts'
import type { Context } from './context.ts'
import { BadConfig } from './exit.ts'

/** The configuration as the daemon would read it. */
export function readConfig({ configFile, env }: Context): Loaded {
  return loadConfig(configFile, env, {
    kinds: KINDS,
    checkSchedule: (trigger, timezone) => checkTrigger(trigger, timezone),
    openFiles: openFilesLimit(),
  })
}

/** @throws BadConfig */
export function requireConfig(context: Context): Config {
  const loaded = readConfig(context)
  if (!loaded.ok) throw new BadConfig(loaded.problems)
  return loaded.config
}
