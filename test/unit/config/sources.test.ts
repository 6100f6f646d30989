import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { findConfigFile } from '../../../src/config/find.ts'
import { expandGlob } from '../../../src/config/glob.ts'
import { loadConfig } from '../../../src/config/load.ts'
import {
  anySchedule,
  folderOf,
  job,
  load,
  mistakes,
  problemsOf,
  sectionsOf,
  short,
} from './load-files.ts'

const named = (name: string, ...lines: string[]) => job(...lines).replace('[a]', `[${name}]`)

describe('[include]', () => {
  test('reads the files that its patterns match, sorted, from the folder of the main file', () => {
    const loaded = load({
      'conf/cron.ini': `[include]\nfiles = conf.d/*.ini more/x?.ini ; remark\n   last.ini\n${named('main')}`,
      'conf/conf.d/b.ini': named('b', 'directory = work'),
      'conf/conf.d/a.ini': named('a'),
      'conf/conf.d/.hidden.ini': 'nonsense',
      'conf/conf.d/a.txt': 'nonsense',
      'conf/more/x1.ini': named('x'),
      'conf/last.ini': named('last'),
    })
    expect(problemsOf(loaded)).toEqual([])
    if (!loaded.ok) return
    const { file, files, jobs } = loaded.config
    const folder = file.slice(0, -'/cron.ini'.length)
    expect(jobs.map(one => one.name)).toEqual(['main', 'a', 'b', 'x', 'last'])
    expect(files.map(one => one.slice(folder.length + 1))).toEqual([
      'cron.ini',
      'conf.d/a.ini',
      'conf.d/b.ini',
      'more/x1.ini',
      'last.ini',
    ])
    expect(jobs[2]?.task.directory).toBe(folder.replace(/conf$/, 'work'))
  })

  test('names the included file in which a mistake is', () => {
    const loaded = load({
      'conf/cron.ini': '[include]\nfiles = conf.d/*.ini',
      'conf/conf.d/a.ini': named('a', 'x = y'),
    })
    expect(problemsOf(loaded).map(short)).toEqual([
      expect.stringContaining('conf.d/a.ini:5: x = y: is not a key of a job'),
    ])
  })

  test('says that a file it names is not there; a pattern may match nothing', () => {
    const loaded = load({ 'conf/cron.ini': '[include]\nfiles = none.ini conf.d/*.ini' })
    expect(problemsOf(loaded)).toEqual([])
    expect(loaded.notes.map(short)).toEqual([
      'cron.ini:2: files = none.ini conf.d/*.ini: there is no file none.ini; nothing is included. create it, or remove it from files',
    ])
  })

  test('does not nest, and does not read the main file again', () => {
    const loaded = load({
      'conf/cron.ini': `[include]\nfiles = *.ini\n${named('main')}`,
      'conf/x.ini': '[include]\nfiles = y/*.ini',
    })
    expect(problemsOf(loaded).map(short)).toEqual([
      'x.ini:1: [include]: an included file cannot include others. name all files in [include] of the main file',
    ])
  })

  test('wants its key', () => {
    expect(mistakes('[include]')).toEqual([
      'cron.ini:1: files: is missing in [include]. add files = conf.d/*.ini',
    ])
    expect(mistakes('[include]\nfile = x.ini')).toContain(
      'cron.ini:2: file = x.ini: is not a key of [include]. did you mean "files"?',
    )
  })
})

describe('a section that is there twice', () => {
  test('in one file is reported with both lines, and its keys are judged all the same', () => {
    expect(mistakes(`${named('a')}\n${named('a', 'x = y')}`)).toEqual([
      'cron.ini:5: [a]: is already there on line 1. rename one of them, or keep line 1 only',
      expect.stringContaining('cron.ini:9: x = y: is not a key of a job'),
    ])
  })

  test('over two files is reported with the other file', () => {
    const loaded = load({
      'conf/cron.ini': `[include]\nfiles = x.ini\n[queue:q]\nmode = sync`,
      'conf/x.ini': '[queue: q]\nmode = sync',
    })
    expect(problemsOf(loaded)).toHaveLength(1)
    expect(problemsOf(loaded)[0]?.message).toMatch(/^is already there on \/.*\/conf\/cron\.ini:3$/)
  })

  test('is also one called default beside keys without a header', () => {
    expect(
      mistakes(`${named('default').slice('[default]\n'.length)}\n${named('default')}`),
    ).toEqual([
      'cron.ini:4: [default]: is already there on line 1. rename one of them, or keep line 1 only',
    ])
  })
})

describe('APP_ENV', () => {
  const files = {
    'conf/cron.ini': `[taskd]\nnode = main\nlog_level = warn\n${named('a', 'param = main', 'priority = 2')}`,
    'conf/online/a.ini': `[taskd]\nlog_level = error\n[a]\nparam = online`,
    'conf/online/b.ini': `[taskd]\nlog_format = json\n${named('b')}`,
    'conf/test/a.ini': '[taskd]\nnode = test',
  }

  test('lays the files of its folder over the main file, key by key', () => {
    const loaded = load(files, { APP_ENV: 'online' })
    expect(problemsOf(loaded)).toEqual([])
    if (!loaded.ok) return
    const { settings, jobs } = loaded.config
    expect(settings).toMatchObject({ node: 'main', logLevel: 'error', logFormat: 'json' })
    expect(jobs.map(one => [one.name, one.task.param, one.task.priority])).toEqual([
      ['a', 'online', 2],
      ['b', '', 5],
    ])
    expect(loaded.config.files).toHaveLength(3)
  })

  test('lays it over what the main file includes, too', () => {
    const loaded = load(
      {
        'conf/cron.ini': '[include]\nfiles = x.ini',
        'conf/x.ini': named('a', 'param = x'),
        'conf/local/x.ini': '[a]\nparam = local',
      },
      { APP_ENV: 'local' },
    )
    expect(loaded.ok && loaded.config.jobs.map(one => one.task.param)).toEqual(['local'])
  })

  test('a mistake is named where it stands, in the overlay', () => {
    const loaded = load({ ...files, 'conf/test/a.ini': '[a]\npriority = 99' }, { APP_ENV: 'test' })
    expect(problemsOf(loaded).map(short)).toEqual([
      expect.stringContaining('test/a.ini:2: priority = 99: is not a whole number'),
    ])
  })

  test('two files of one overlay may not set the same key', () => {
    const both = { ...files, 'conf/online/b.ini': '[taskd]\nlog_level = info' }
    expect(problemsOf(load(both, { APP_ENV: 'online' })).map(short)).toEqual([
      expect.stringMatching(
        /online\/b\.ini:2: log_level = info: is already set by .*a\.ini:2\. keep/,
      ),
    ])
  })

  test('a variable wins over it', () => {
    const loaded = load(files, { APP_ENV: 'online', TASKD_LOG_LEVEL: 'debug' })
    expect(loaded.ok && loaded.config.settings).toMatchObject({
      logLevel: 'debug',
      logFormat: 'json',
    })
  })

  test('lays programs and queues over in the same way, and adds those that are new', () => {
    const loaded = load(
      {
        'conf/cron.ini': '[include]\nfiles = p.conf\n[queue:q]\nmode = sync\nperiod = 2s',
        'conf/p.conf': '[program:p]\ncommand = /p\nnumprocs_start = 3\nenvironment = A="1"',
        'conf/online/x.ini':
          '[program:p]\nCommand: /q\n  -v\n[program:new]\ncommand = %(here)s/n\n[queue:q]\nperiod = 0',
        'conf/test/x.ini': '[program:p]\ncommand = /never',
      },
      { APP_ENV: 'online' },
    )
    expect(problemsOf(loaded)).toEqual([])
    if (!loaded.ok) return
    const { queues, file } = loaded.config
    const { processes } = sectionsOf(loaded.config)
    expect(processes.map(one => [one.name, one.argv, one.environment])).toEqual([
      ['p', ['/q', '-v'], { A: '1' }],
      ['new', [file.replace('cron.ini', 'online/n')], {}],
    ])
    expect(queues.find(one => one.taskKey === 'q')).toMatchObject({ mode: 'sync', periodMs: 0 })
  })

  test('cannot include, and its files are read in sorted order', () => {
    const loaded = load(
      {
        'conf/cron.ini': '',
        'conf/local/b.ini': named('b'),
        'conf/local/a.ini': `${named('a')}\n[include]\nfiles = x.ini`,
      },
      { APP_ENV: 'local' },
    )
    expect(problemsOf(loaded).map(short)).toEqual([
      'local/a.ini:5: [include]: an included file cannot include others. name all files in [include] of the main file',
    ])
  })

  test('another word, or a folder that is not there, is noted and changes nothing', () => {
    for (const name of ['production', '../x', 'local']) {
      const loaded = load(files, { APP_ENV: name })
      expect(loaded.ok && loaded.config.settings.node).toBe('main')
      expect(loaded.notes.map(note => note.key)).toEqual(['APP_ENV'])
    }
    expect(load(files, { APP_ENV: '' }).notes).toEqual([])
  })
})

test('a script is named from the folder above conf/, or else from that of the file', () => {
  const text = named('a').replace('/a.php', 'scripts/a.php')
  const folder = folderOf({ 'conf/cron.ini': text, 'etc/cron.ini': text })
  for (const [file, script] of [
    ['conf/cron.ini', 'scripts/a.php'],
    ['etc/cron.ini', 'etc/scripts/a.php'],
  ] as const) {
    const loaded = loadConfig(join(folder, file), {}, anySchedule)
    expect(loaded.ok && loaded.config.jobs[0]?.task.script).toBe(join(folder, script))
  }
})

test('the file is the one that is named, or else found in its places', () => {
  const folder = folderOf({ 'conf/cron.ini': '' })
  const here = join(folder, 'conf/cron.ini')
  expect(findConfigFile(undefined, {}, folder)).toBe(here)
  expect(findConfigFile(undefined, { TASKD_CONFIG: 'x.ini' }, folder)).toBe(join(folder, 'x.ini'))
  expect(findConfigFile('/y.ini', { TASKD_CONFIG: 'x.ini' }, folder)).toBe('/y.ini')
})

describe('a pattern', () => {
  const names = ['a.ini', 'b.ini', 'ab.ini', 'd/x.ini', 'd/y.ini', 'e/x.ini', '.h.ini', '积.ini']
  test.each([
    ['*.ini', ['a.ini', 'ab.ini', 'b.ini', '积.ini']],
    ['?.ini', ['a.ini', 'b.ini', '积.ini']],
    ['[ab].ini', ['a.ini', 'b.ini']],
    ['[!a-b]*.ini', ['积.ini']],
    ['*/x.ini', ['d/x.ini', 'e/x.ini']],
    ['d/*', ['d/x.ini', 'd/y.ini']],
    ['.*.ini', ['.h.ini']],
    ['*b*', ['ab.ini', 'b.ini']],
    ['[.ini', ['[.ini']],
    ['none/*', []],
  ])('%s', (pattern, expected) => {
    const folder = folderOf(Object.fromEntries([...names, '[.ini'].map(name => [name, ''])))
    const found = expandGlob(pattern, folder).map(file => file.slice(folder.length + 1))
    const plain = pattern === '*.ini' || pattern === '?.ini' || pattern === '[!a-b]*.ini'
    expect(found).toEqual(plain ? ['[.ini', ...expected].toSorted() : expected)
  })
})
