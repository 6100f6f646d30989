import type { Environment } from '../config/config.ts'
import { Report } from '../config/diagnostics.ts'
import { placesOf } from '../config/paths.ts'
import { buildSettings, checkSettings } from '../config/settings.ts'
import { gather } from '../config/sources.ts'

/** The socket as the whole configuration gives it, whatever mistakes are in it. */
export function exactSocket(file: string, env: Environment): string {
  const report = new Report()
  const { sections } = gather(file, env, report)
  const taskd = sections.find(section => section.kind === 'taskd')
  const { values } = checkSettings(taskd, file, env, report)
  return buildSettings(values, placesOf(file)).socket
}
