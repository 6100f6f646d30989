import { fileURLToPath } from 'node:url'
import { LAUNCHERS, startLauncher } from '../../src/workers/launcher.ts'
import type { Spawner } from '../../src/workers/spawn.ts'
import { BASE } from './runs.ts'

export type Kind = keyof typeof LAUNCHERS

/** What scripts/build made is beside the built modules and not beside the sources. */
const COMPILED = fileURLToPath(new URL('../../dist/workers/launcher', import.meta.url))

export function launcherCommand(kind: Kind): readonly string[] {
  return kind === 'compiled' ? [COMPILED] : LAUNCHERS[kind]
}

/**
 * One of the launchers, and no other. It ends with the process of the test.
 * @param through a command that becomes it
 */
export async function launcherOf(
  kind: Kind,
  environment: Readonly<Record<string, string | undefined>> = BASE,
  through: readonly string[] = [],
): Promise<Spawner> {
  const command = [...through, ...launcherCommand(kind)]
  const launcher = await startLauncher({ environment, onLost: () => undefined, among: [command] })
  if (launcher === undefined) throw new Error(`cannot be started: ${command.join(' ')}`)
  return launcher
}
