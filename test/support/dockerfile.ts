import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'

export interface Instruction {
  readonly name: string
  readonly text: string
}

export interface Stage {
  /** '' for the last one. */
  readonly name: string
  readonly base: string
  readonly steps: readonly Instruction[]
}

/** A Dockerfile as its stages; ARGs of the head are filled in. */
export function readDockerfile(text: string): readonly Stage[] {
  const lines = text
    .split('\n')
    .filter(line => !line.trimStart().startsWith('#'))
    .join('\n')
    .replace(/\\\n\s*/g, ' ')
    .split('\n')
    .filter(line => line.trim() !== '')
  const args = new Map<string, string>()
  const stages: { name: string; base: string; steps: Instruction[] }[] = []
  for (const line of lines) {
    const [, name = '', rest = ''] = /^([A-Z]+) (.+)$/.exec(line) ?? []
    if (!KNOWN.includes(name)) throw new Error(`no instruction that is known: ${line}`)
    if (name === 'ARG') {
      const [key = '', value = ''] = rest.split('=')
      args.set(key, value)
    } else if (name === 'FROM') {
      const [image = '', , as = ''] = rest.split(' ')
      const base = image.replace(/\$\{(\w+)\}/g, (_, key: string) => args.get(key) ?? '')
      stages.push({ name: as, base, steps: [] })
    } else {
      stages.at(-1)?.steps.push({ name, text: rest.trim() })
    }
  }
  return stages
}

const KNOWN =
  'ARG FROM WORKDIR COPY RUN ENV USER VOLUME EXPOSE STOPSIGNAL HEALTHCHECK ENTRYPOINT CMD'.split(
    ' ',
  )

export function valueOf(stage: Stage, name: string): string {
  return stage.steps.findLast(step => step.name === name)?.text ?? ''
}

export function environmentOf(stage: Stage): Record<string, string> {
  const pairs = stage.steps
    .filter(step => step.name === 'ENV')
    .flatMap(one => one.text.split(/\s+/))
  return Object.fromEntries(pairs.map(pair => pair.split('=') as [string, string]))
}

export interface Copy {
  /** '' for the build's context. */
  readonly from: string
  readonly sources: readonly string[]
  readonly target: string
}

export function readCopy(text: string): Copy {
  const words = text.split(/\s+/)
  const from = words[0]?.startsWith('--from=') ? (words.shift() ?? '').slice('--from='.length) : ''
  const target = words.pop() ?? ''
  if (words.some(word => word.startsWith('-'))) throw new Error(`an unknown flag: ${text}`)
  return { from, sources: words, target }
}

/** What is left of the context under a .dockerignore: the last line that matches counts. */
export function isInContext(ignore: string, path: string): boolean {
  let inside = true
  for (const raw of ignore.split('\n')) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) continue
    const pattern = line.replace(/^!/, '')
    if (pattern !== '*' && /[*?[\]]/.test(pattern)) throw new Error(`an unknown pattern: ${line}`)
    if (pattern === '*' || path === pattern || path.startsWith(`${pattern}/`))
      inside = line.startsWith('!')
  }
  return inside
}

/**
 * Carries out the COPY and WORKDIR of a stage below `root`.
 * @param folders where the context ('') and the other stages lie
 * @param run is told of every RUN, with the folder it would run in
 */
export function assemble(
  stage: Stage,
  root: string,
  folders: Readonly<Record<string, string>>,
  run: (command: string, cwd: string) => void,
): void {
  let cwd = '/'
  for (const { name, text } of stage.steps) {
    if (name === 'WORKDIR') {
      cwd = resolve(cwd, text)
      mkdirSync(join(root, cwd), { recursive: true })
    } else if (name === 'RUN') run(text, join(root, cwd))
    else if (name === 'COPY') copy(readCopy(text), join(root, cwd), root, folders)
  }
}

function copy(
  { from, sources, target }: Copy,
  cwd: string,
  root: string,
  folders: Readonly<Record<string, string>>,
): void {
  const folder = folders[from]
  if (folder === undefined) throw new Error(`there is no stage ${from}`)
  const into = target.startsWith('/') ? join(root, target) : resolve(cwd, target)
  for (const source of sources) {
    const path = join(folder, source)
    if (!existsSync(path)) throw new Error(`COPY ${source}: there is no ${path}`)
    const whole = statSync(path).isDirectory()
    const inside = !whole && (target.endsWith('/') || target === '.')
    const to = inside ? join(into, basename(path)) : into
    mkdirSync(whole ? to : dirname(to), { recursive: true })
    execFileSync('cp', ['-a', ...(whole ? [`${path}/.`, to] : [path, to])])
  }
}
