import type { Control } from '../api/control.ts'
import type { Environment } from '../config/config.ts'
import { formatProblem } from '../config/diagnostics.ts'
import { loadConfig } from '../config/load.ts'
import { KINDS } from '../features/index.ts'
import { closeInherited } from '../lib/descriptors.ts'
import { messageOf, TaskdError } from '../lib/errors.ts'
import { openLog, type RootLog } from '../lib/log.ts'
import { openFilesLimit } from '../lib/proc.ts'
import { checkTrigger } from '../schedule/check.ts'
import { buildDaemon } from './build.ts'
import type { Daemon } from './daemon.ts'
import { prepareDataDir } from './installation.ts'
import { takeLock } from './lock.ts'
import { ownStart } from './started-by.ts'

export interface RunOptions {
  readonly configFile: string
  /** Where settings may stand; `process.env` has lost those that are secret. */
  readonly environment: Environment
  /** In the foreground the log goes to standard output unless `log_file` says otherwise. */
  readonly foreground: boolean
}

const EXIT_FAILED = 1
const EXIT_CONFIG = 2
/** How long a stopped process may linger: calls that wait for Redis would keep it for ever. */
const LINGER_MS = 300

/** Node reaps its own children only; bin/taskd starts init.pl as process 1 where there is perl. */
const NO_INIT =
  'taskd itself is process 1, so what others leave behind stays as zombies; ' +
  'install perl and start bin/taskd, or give the container an init (docker run --init)'

/**
 * The daemon: reads its configuration, takes its data folder, runs until it is told to stop.
 * @returns the exit code
 */
export async function runDaemon(options: RunOptions): Promise<number> {
  const start = ownStart(options.foreground)
  const deps = { kinds: KINDS, checkSchedule: checkTrigger, openFiles: openFilesLimit() }
  const load = () => loadConfig(options.configFile, options.environment, deps)
  const loaded = load()
  if (!loaded.ok) {
    for (const problem of loaded.problems) process.stderr.write(`${formatProblem(problem)}\n`)
    return EXIT_CONFIG
  }
  const { config } = loaded
  const { settings } = config
  // The configuration may have been one of them: `-c /dev/fd/3`.
  closeInherited(process.env)
  let root: RootLog | undefined
  try {
    const instance = prepareDataDir(settings.dataDir)
    const lock = await takeLock(settings.dataDir)
    root = openLog({
      level: settings.logLevel,
      format: settings.logFormat,
      file:
        settings.logFile ?? (options.foreground ? undefined : `${settings.dataDir}/log/taskd.log`),
    })
    root.log.info(
      { config: config.file, data_dir: settings.dataDir, pid: process.pid },
      'taskd starts',
    )
    for (const note of loaded.notes) root.log.warn(formatProblem(note))
    if (process.pid === 1) root.log.warn(NO_INIT)
    const { daemon, control } = buildDaemon({
      config,
      instance,
      root,
      load,
      environment: process.env,
      start,
    })
    obeySignals(daemon, control, root)
    daemon.start().catch((error: unknown) => {
      // A stop before it had started is not a failure.
      if (daemon.state === 'stopping') return undefined
      root?.log.fatal({ error: messageOf(error) }, 'cannot start')
      process.exitCode = EXIT_FAILED
      return daemon.stop('it could not start')
    })
    await daemon.stopped
    lock.release()
    return process.exitCode === undefined ? 0 : Number(process.exitCode)
  } catch (error) {
    const hint = error instanceof TaskdError && error.hint ? `; ${error.hint}` : ''
    process.stderr.write(`taskd: ${messageOf(error)}${hint}\n`)
    return EXIT_FAILED
  } finally {
    await root?.flush()
    setTimeout(() => process.exit(), LINGER_MS).unref()
  }
}

function obeySignals(daemon: Daemon, control: Control, root: RootLog): void {
  let asked = 0
  const stop = (signal: string) => {
    asked += 1
    if (asked > 1) daemon.hurry()
    void daemon.stop(signal)
  }
  process.on('SIGTERM', () => stop('SIGTERM'))
  process.on('SIGINT', () => stop('SIGINT'))
  process.on('SIGHUP', () => {
    daemon.reload().catch((error: unknown) => root.log.warn(messageOf(error)))
  })
  process.on('SIGUSR1', () => {
    void control.status().then(status => root.log.info({ status }, 'state'))
  })
  process.on('SIGUSR2', () => daemon.reopenLogs())
}
