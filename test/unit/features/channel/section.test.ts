import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  configOf,
  folderOf,
  load,
  mistakes,
  problemsOf,
  sectionsOf,
  short,
} from '../../config/load-files.ts'

const KEY = Buffer.alloc(32, 7).toString('base64')
const OTHER = Buffer.alloc(32, 8).toString('base64')
const channel = (...lines: string[]) =>
  ['[channel:orders]', 'table = t', 'columns = id!, phone, note', ...lines].join('\n')
const relay = (...lines: string[]) =>
  ['[relay:qk]', 'redis = redis://other', 'list = todo', ...lines].join('\n')
/** Without the place and the section in front. */
const said = (text: string) => mistakes(text).map(one => one.replace(/^cron\.ini:\d+: /, ''))

describe('[channel:NAME]', () => {
  test('has its defaults, and the database of the daemon', () => {
    const config = configOf(channel())
    const [spec] = sectionsOf(config).channels
    expect(spec).toEqual({
      name: 'orders',
      database: config.settings.database,
      table: 't',
      columns: ['id', 'phone', 'note'].map(name => ({
        field: name,
        column: name,
        required: name === 'id',
        type: 'any',
        most: 1 << 20,
      })),
      maxRows: 5000,
      spoolMax: 1024 ** 3,
      encrypt: [],
      keys: [],
      legacyPaths: [],
    })
  })

  test('every key arrives', () => {
    const text = `[channel:a.b-c_9]
database = postgresql://u:p@h/d
table = public.orders
columns = id!:int , 姓名:text(20)=name, meta:json=m, at:time, ok:bool, n:number
max_rows = 9
spool_max = 64MB
encrypt = 姓名
encrypt_key = v2:${OTHER}, v1:${KEY}`
    expect(sectionsOf(configOf(text)).channels).toMatchObject([
      {
        name: 'a.b-c_9',
        database: 'postgres://u:p@h/d',
        table: 'public.orders',
        columns: [
          { field: 'id', column: 'id', required: true, type: 'int' },
          { field: '姓名', column: 'name', required: false, type: 'text', most: 20 },
          { field: 'meta', column: 'm', type: 'json' },
          { field: 'at', type: 'time' },
          { field: 'ok', type: 'bool' },
          { field: 'n', type: 'number' },
        ],
        maxRows: 9,
        spoolMax: 64 << 20,
        encrypt: ['姓名'],
        keys: [
          { id: 'v2', key: OTHER },
          { id: 'v1', key: KEY },
        ],
      },
    ])
    const url = 'encrypt_url = https://u:p@crypto.example.org/x?y=1'
    expect(sectionsOf(configOf(channel(url))).channels[0]?.encryptUrl).toBe(url.slice(14))
  })

  test('a database file is named from the folder of the main file', () => {
    const loaded = load({ 'conf/cron.ini': channel('database = sqlite:x/y.db') })
    if (!loaded.ok) throw new Error('refused')
    const [spec] = sectionsOf(loaded.config).channels
    expect(spec?.database).toBe(`sqlite:${join(loaded.config.file, '../x/y.db')}`)
  })

  test('what nobody should read may stand in a file of its own', () => {
    const folder = folderOf({
      db: 'mysql://u:p@h/d\n',
      keys: `b:${OTHER}\na:${KEY}\n`,
      empty: ' \n',
    })
    const lines = [`database = @${folder}/db`, 'encrypt = phone', `encrypt_key = @${folder}/keys`]
    expect(sectionsOf(configOf(channel(...lines))).channels).toMatchObject([
      { database: 'mysql://u:p@h/d', keys: [{ id: 'b' }, { id: 'a' }] },
    ])
    expect(said(channel(`database = @${folder}/gone`))).toEqual([
      expect.stringMatching(/^database = @\S+\/gone: cannot be read: ENOENT.*look at the path/),
    ])
    expect(said(channel('database = @db'))).toEqual([
      'database = @db: names no absolute path after the @. write @/path',
    ])
    expect(said(channel(`database = @${folder}/empty`))[0]).toContain('is an empty file')
    const wrong = said(channel(`database = @${folder}/keys`))
    expect(wrong[0]).toContain('holds what is not a database address')
    expect(wrong[0]).not.toContain(KEY)
  })

  test('what is missing is said', () => {
    expect(mistakes('[channel:x]')).toEqual([
      'cron.ini:1: table: is missing in [channel:x]. add table = orders',
      'cron.ini:1: columns: is missing in [channel:x]. add columns = id!:int, name',
    ])
  })

  test.each([
    ['columns = id, , x', 'has an empty part'],
    ['columns = id, id', 'names the field id twice'],
    ['columns = a=x, b=X', 'fills the column X twice'],
    ['columns = id:itn', 'did you mean "int"?'],
    ['columns = id:int(5)', 'has a length for id, which is no text'],
    ['columns = id:text(0)', 'that is not 1 to 1048576'],
    ['columns = a=b"c', 'which is no name for a column'],
    ['columns = a b', 'has the part "a b", which is no column'],
    ['columns = 1', 'which is no name for a column'],
    ['table = a.b.c', 'is no name for a table'],
    ['table = x; drop', 'is no name for a table'],
    ['max_rows = 0', 'is not a whole number from 1 to 100000'],
    ['spool_max = much', 'is not a size'],
    ['encrypt_url = crypto', 'is not a URL'],
    ['colums = a', 'did you mean "columns"?'],
  ])('%s is refused', (line, reason) => {
    const key = line.split(' ', 1)[0] ?? ''
    const rest = ['table = t', 'columns = id!'].filter(one => !one.startsWith(`${key} `))
    const found = mistakes(['[channel:x]', ...rest, line].join('\n'))
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(reason)
  })

  test('fields are encrypted with a key or by a service, and never with half of what it takes', () => {
    expect(said(channel('encrypt = phone'))).toEqual([
      'encrypt = phone: has no key to encrypt with. add encrypt_key = v1:KEY, with a KEY from openssl rand -base64 32',
    ])
    expect(said(channel(`encrypt_key = v1:${KEY}`))).toEqual([
      'encrypt_key = ******: encrypts nothing. add encrypt = with the fields',
    ])
    const both = ['encrypt = phone', `encrypt_key = v1:${KEY}`, 'encrypt_url = http://x/']
    expect(said(channel(...both))[0]).toContain('cannot stand beside encrypt_key')
    const unknown = ['encrypt = phnoe', `encrypt_key = v1:${KEY}`]
    expect(said(channel(...unknown))[0]).toContain('did you mean "phone"?')
    const typed = `[channel:x]\ntable=t\ncolumns=id:int\nencrypt=id\nencrypt_key=v1:${KEY}`
    expect(said(typed)[0]).toContain('id is of type int')
  })

  test.each([
    [KEY, 'has no id'],
    ['v1:c2hvcnQ=', 'is not 32 bytes in base64'],
    [`v1:${KEY}, v1:${OTHER}`, 'has the id v1 twice'],
    [`v.1:${KEY}`, 'has no id'],
  ])('a key that is none is refused, and never shown: %#', (value, reason) => {
    const found = said(channel('encrypt = phone', `encrypt_key = ${value}`))
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(`encrypt_key = ******: has `)
    expect(found[0]).toContain(reason)
    expect(found[0]).not.toContain('c2hvcnQ')
  })
})

test('old paths are common to channels, and not to a channel and a relay', () => {
  const one = channel('legacy_path = /save /aes')
  const other = one.replace('[channel:orders]', '[channel:d]')
  const found = configOf(`${one}\n${other}\n${relay('legacy_path = /get_gc, /push_gc')}`)
  expect(sectionsOf(found).channels.map(spec => spec.legacyPaths)).toEqual([
    ['/save', '/aes'],
    ['/save', '/aes'],
  ])
  expect(sectionsOf(found).relays.map(spec => spec.legacyPaths)).toEqual([['/get_gc', '/push_gc']])
  expect(mistakes(`${one}\n${relay('legacy_path = /aes')}`)).toEqual([
    expect.stringContaining('/aes is a path of [channel:orders] already. name another'),
  ])
})

describe('[relay:NAME]', () => {
  test('has its defaults, and every key arrives', () => {
    expect(sectionsOf(configOf(relay())).relays).toEqual([
      {
        name: 'qk',
        redis: 'redis://other',
        list: 'todo',
        take: 'left',
        max: 500,
        leaseMs: 600_000,
        legacyPaths: [],
      },
    ])
    const lines = ['take = right', 'results = back', 'max = 7', 'lease = 1h']
    expect(sectionsOf(configOf(relay(...lines))).relays).toMatchObject([
      { take: 'right', results: 'back', max: 7, leaseMs: 3_600_000 },
    ])
  })

  test.each([
    ['redis = embedded', 'must name a Redis of its own'],
    ['redis = other', 'is not a Redis address'],
    ['take = top', 'write one of: left, right'],
    ['results = todo', 'is the list of the tasks'],
    ['max = 0', 'is not a whole number'],
    ['lease = 1ms', 'is less than 1000ms'],
    ['legacy_path = get_tasks', 'get_tasks is no path. write for instance /save_data_to_orders'],
    ['legacy_path = /a /../b', '/../b is no path'],
    ['legacy_path = /get_tasks', '/get_tasks is a path of taskd itself'],
    ['legacy_path = /api/data/x', '/api/data/x is a path of taskd itself'],
    ['list = Task:Relay:x', 'is a name that taskd needs itself'],
  ])('%s is refused', (line, reason) => {
    const key = line.split(' ', 1)[0] ?? ''
    const rest = relay()
      .split('\n')
      .filter(one => !one.startsWith(`${key} `))
    const found = mistakes([...rest, line].join('\n'))
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(reason)
  })
})

test.each(['', '.', '..', '.x', 'a/b', 'a b', 'x'.repeat(65)])(
  'a name that is no name for a folder is refused: %j',
  name => {
    for (const text of [channel().replace('orders', name), relay().replace('qk', name)]) {
      const found = problemsOf(load({ 'conf/cron.ini': text })).map(short)
      expect(found).toHaveLength(1)
      expect(found[0]).toContain('is not a name for a')
    }
  },
)
