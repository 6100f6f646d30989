import { type Argument, Command, CommanderError, Option } from 'commander'
import { version } from '../lib/shipped.ts'
import { createContext, type Options, type World } from './context.ts'
import { BadConfig, EXIT, errorLine, exitCodeOf, usageError } from './exit.ts'
import { HABITS } from './habits.ts'
import type { Verb } from './verbs/verb.ts'
import { GROUPS } from './verbs.ts'

const ABOUT = `One daemon for cron, queues and processes.

Every command finds the daemon through its configuration: -c FILE, else
$TASKD_CONFIG, else ./conf/cron.ini, else /etc/taskd/cron.ini.`

const EXAMPLES = [
  'taskd start',
  'taskd status',
  'taskd next --count 3',
  'taskd run accumulate_pay --wait',
  'taskd fails --limit 5',
]

/** One command line from its words to the exit code. Nothing is thrown. */
export async function runCli(argv: readonly string[], world: World): Promise<number> {
  let code: number = EXIT.ok
  const words = asAsked(argv)
  const asked = verbOf(words)
  const program = root(world)
  for (const group of GROUPS) {
    program.commandsGroup(group.title)
    for (const [name, verb] of Object.entries(group.verbs)) {
      // To describe all the others would take longer than everything else that `taskd status` does.
      if (asked !== undefined && name !== asked) continue
      addVerb(program, name, verb).action(async (...received: unknown[]) => {
        const args = received.slice(0, -2).flat().filter(isText)
        const context = createContext(world, program.opts<{ config?: string }>().config)
        const { run } = await verb.load()
        code = await run(context, args, received.at(-2) as Options)
      })
    }
  }
  for (const [word, does] of asked === undefined ? Object.entries(HABITS) : []) {
    const command = program.command(`${word} [words...]`, { hidden: true }).allowUnknownOption()
    command.action(() => {
      throw usageError(`there is no ${word}`, does)
    })
  }
  try {
    await program.parseAsync(words, { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
    if (error instanceof BadConfig) await showProblems(error, world)
    else world.out.note(errorLine(error))
    return exitCodeOf(error)
  }
}

/** `taskd help status`, as supervisorctl and git have it, is `taskd status --help`. */
function asAsked(argv: readonly string[]): readonly string[] {
  return argv[0] === 'help' ? [...argv.slice(1), '--help'] : argv
}

/** The verb that the command line names; undefined where commander has to look at it. */
function verbOf([first = '', ...rest]: readonly string[]): string | undefined {
  if (first === '-c' || first === '--config') return verbOf(rest.slice(1))
  if (first.startsWith('--config=')) return verbOf(rest)
  return GROUPS.some(({ verbs }) => Object.hasOwn(verbs, first)) ? first : undefined
}

function root(world: World): Command {
  return new Command('taskd')
    .description(ABOUT)
    .version(version(), '-V, --version', 'the version of taskd')
    .option('-c, --config <file>', 'the configuration to work with')
    .helpOption('-h, --help', 'help for taskd, or for one command')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: text => world.out.line(text.trimEnd()),
      writeErr: text => world.out.note(text.trimEnd()),
      getOutHelpWidth: () => Math.min(world.out.width, 100),
      getErrHelpWidth: () => Math.min(world.out.width, 100),
      outputError: (text, write) => write(usageLine(text, 'taskd')),
    })
    .configureHelp({
      showGlobalOptions: true,
      // Every command has options; saying so each time only takes room.
      subcommandTerm: command =>
        [command.name(), ...command.registeredArguments.map(humanReadable)].join(' '),
    })
    .addHelpText('after', examplesText(EXAMPLES))
}

function addVerb(program: Command, name: string, verb: Verb): Command {
  const command = program.command(`${name}${verb.args ? ` ${verb.args}` : ''}`)
  command.summary(verb.summary).description(verb.about ?? verb.summary)
  command.configureOutput({
    outputError: (text, write) => write(usageLine(text, `taskd ${name}`)),
  })
  for (const [flags, description] of verb.options ?? []) {
    const option = new Option(flags, description)
    if (verb.required?.includes(flags)) option.makeOptionMandatory()
    command.addOption(option.hideHelp(verb.hidden?.includes(flags) ?? false))
  }
  const json = new Option('--json', 'the answer as JSON')
  command.addOption(json.hideHelp(verb.hidden?.includes('--json') ?? false))
  const exits = verb.exits === undefined ? '' : `\n\nExit codes:\n${indent(verb.exits)}`
  return command.addHelpText('after', `${examplesText(verb.examples)}${exits}`)
}

function humanReadable(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? '...' : ''}`
  return argument.required ? `<${name}>` : `[${name}]`
}

function examplesText(examples: readonly string[]): string {
  return `\nExamples:\n${indent(examples.map(one => (one.startsWith(' ') ? one : `$ ${one}`)))}`
}

function indent(lines: readonly string[]): string {
  return lines.map(line => `  ${line}`).join('\n')
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

/** Commander's `error: …\n(Did you mean …?)` as one line that says what to do. */
function usageLine(text: string, command: string): string {
  const [what = '', guess] = text
    .replace(/^error: /, '')
    .trim()
    .split('\n')
  const hint = guess?.replace(/^\(D(.*)\)$/, 'd$1') ?? `${command} --help shows what there is`
  return `taskd: ${what.replace(/\.$/, '')}. ${hint}`
}

async function showProblems({ problems }: BadConfig, { out, cwd }: World): Promise<void> {
  const { problemLine } = await import('./problem-line.ts')
  for (const problem of problems) out.note(problemLine(problem, cwd))
}
