import type { Control } from '../../api/control.ts'
import { didYouMean } from '../../lib/suggest.ts'
import { readFunctionArgs } from '../../model/function-args.ts'
import { sqlJobName } from '../../model/sql-job.ts'
import { showAnswer } from '../answer.ts'
import { type Command, type Context, type Options, text } from '../context.ts'
import { orUnknown, usageError } from '../exit.ts'
import { wholeNumber } from '../numbers.ts'
import { clean } from '../render.ts'
import { showDone, showHistory, showList } from '../sql-jobs.ts'

interface Asked {
  readonly context: Context
  readonly daemon: Control
  readonly key: string
  readonly spec: string | undefined
  readonly options: Options
}

interface Action {
  /** How many words follow: the least and the most. */
  readonly words: readonly [number, number]
  readonly options: readonly string[]
  readonly run: (asked: Asked) => Promise<number>
}

const ACTIONS: Readonly<Record<string, Action>> = {
  list: { words: [0, 0], options: [], run: list },
  add: { words: [1, 1], options: ['trigger', 'spec', 'func', 'args', 'disabled'], run: add },
  enable: { words: [1, 1], options: [], run: asked => change(asked, { is_valid: true }) },
  disable: { words: [1, 1], options: [], run: asked => change(asked, { is_valid: false }) },
  spec: { words: [2, 2], options: [], run: asked => change(asked, { spec: asked.spec ?? '' }) },
  run: { words: [1, 1], options: ['wait'], run: runNow },
  history: { words: [0, 1], options: ['limit'], run: history },
}

export const run: Command = orUnknown(
  async (context, [word = '', ...words], options) => {
    const action = actionOf(word, words, options)
    const daemon = await context.daemon()
    const [key = '', spec] = words
    return action.run({ context, daemon, key, spec, options })
  },
  ['E_NO_ROW', 'E_NO_JOB'],
)

/** @throws TaskdError what is wrong with the words, before anybody is asked */
function actionOf(word: string, words: readonly string[], options: Options): Action {
  const action = Object.hasOwn(ACTIONS, word) ? ACTIONS[word] : undefined
  if (!action) {
    const names = Object.keys(ACTIONS)
    const hint = didYouMean(word, names, `one of: ${names.join(', ')}`)
    throw usageError(`taskd task has no action ${clean(word)}`, hint)
  }
  const [least, most] = action.words
  const hint = 'taskd task --help shows how it is written'
  if (words.length < least) throw usageError(`taskd task ${word} wants ${WANTED[least]}`, hint)
  if (words.length > most) throw usageError(`taskd task ${word} takes no ${words[most]}`, hint)
  const foreign = Object.keys(options).find(
    name => name !== 'json' && !action.options.includes(name),
  )
  if (foreign !== undefined) throw usageError(`taskd task ${word} takes no --${foreign}`, hint)
  return action
}

const WANTED = ['nothing', 'the task_key of a row', 'a task_key and a spec']

async function list({ context, daemon, options }: Asked): Promise<number> {
  return showList(await daemon.listSqlJobs(), context.out, options)
}

async function add({ context, daemon, key, options }: Asked): Promise<number> {
  const needed = (name: string) => {
    const value = text(options, name)
    if (value === undefined) throw usageError(`taskd task add wants --${name}`)
    return value
  }
  const args = text(options, 'args') ?? ''
  const read = readFunctionArgs(args)
  if (read.ok && read.value.words.length > 0)
    context.out.note(`note: args is taken as ${read.value.list}: words without quotes are texts`)
  const done = await daemon.addSqlJob({
    task_key: key,
    execute_func: needed('func'),
    trigger: needed('trigger'),
    spec: needed('spec'),
    args,
    is_valid: options['disabled'] !== true,
  })
  return showDone('added', done, context.out, options)
}

async function change(
  { context, daemon, key, options }: Asked,
  what: { readonly is_valid?: boolean; readonly spec?: string },
): Promise<number> {
  const done = await daemon.changeSqlJob({ task_key: key, ...what })
  const word = what.is_valid === undefined ? 'changed' : what.is_valid ? 'enabled' : 'disabled'
  return showDone(word, done, context.out, options)
}

async function runNow({ context, daemon, key, options }: Asked): Promise<number> {
  const wait = options['wait'] === true
  const leaves = new AbortController()
  const answer = await daemon.runJob(sqlJobName(key), { wait }, leaves.signal)
  return showAnswer(answer, context, options)
}

async function history({ context, daemon, key, options }: Asked): Promise<number> {
  const limit = wholeNumber(text(options, 'limit') ?? '20', '--limit', 1, 10_000)
  const query = { limit, ...(key !== '' && { task_key: key }) }
  return showHistory(await daemon.sqlJobHistory(query), key === '', context.out, options)
}
