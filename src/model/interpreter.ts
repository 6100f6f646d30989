import { extname } from 'node:path'

/**
 * What runs a script, by its ending; undefined for one that is to be executed itself.
 * @param php the php binary of the configuration
 */
export function interpreterOf(script: string, php: string): string | undefined {
  switch (extname(script).toLowerCase()) {
    case '.php':
      return php
    case '.py':
      return 'python3'
    case '.js':
    case '.mjs':
    case '.cjs':
      return process.execPath
    case '.sh':
      return 'sh'
    default:
      return undefined
  }
}
