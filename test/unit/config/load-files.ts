import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Config, Environment, Loaded } from '../../../src/config/config.ts'
import { formatProblem, type Problem } from '../../../src/config/diagnostics.ts'
import { type ConfigDeps, loadConfig } from '../../../src/config/load.ts'
import { valueOf } from '../../../src/config/section-kind.ts'
import { channelKind } from '../../../src/features/channel/section.ts'
import { KINDS } from '../../../src/features/index.ts'
import { notifyKind } from '../../../src/features/notify/section.ts'
import { programKind } from '../../../src/features/programs/section.ts'
import { relayKind } from '../../../src/features/relay/section.ts'
import { sourceKind } from '../../../src/features/table-queue/section.ts'

/** Takes every schedule; tests of the schedule itself are elsewhere. */
export const anySchedule: ConfigDeps = { kinds: KINDS, checkSchedule: () => ({ notes: [] }) }

export type Files = Readonly<Record<string, string | Buffer>>

/** A temporary folder with these files, gone after the test. */
export function folderOf(files: Files): string {
  const folder = mkdtempSync(join(tmpdir(), 'taskd-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), content)
  }
  return folder
}

export function load(files: Files, env: Environment = {}, deps = anySchedule): Loaded {
  return loadConfig(join(folderOf(files), 'conf/cron.ini'), env, deps)
}

/** The configuration of a text that must be in order. */
export function configOf(text: string | Buffer, env: Environment = {}): Config {
  const loaded = load({ 'conf/cron.ini': text }, env)
  if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join('\n'))
  return loaded.config
}

export function problemsOf(loaded: Loaded): readonly Problem[] {
  return loaded.ok ? [] : loaded.problems
}

/** `line key = value: message. hint` of each mistake in a text. */
export function mistakes(text: string | Buffer, env: Environment = {}): string[] {
  return problemsOf(load({ 'conf/cron.ini': text }, env)).map(short)
}

export function short(problem: Problem): string {
  return formatProblem(problem).replace(/^\S*?\/conf\/([\w./-]+?\.ini)/, '$1')
}

/** A job with the keys every job needs, and more lines. */
export function job(...lines: string[]): string {
  return ['[a]', 'task_key=sync_tasks', 'run_time=* * * * *', 'script=/a.php', ...lines].join('\n')
}

/** What the sections of each feature mean. */
export function sectionsOf(config: Config) {
  return {
    ...valueOf(config, programKind),
    channels: valueOf(config, channelKind),
    relays: valueOf(config, relayKind),
    sources: valueOf(config, sourceKind),
    notify: valueOf(config, notifyKind),
  }
}
