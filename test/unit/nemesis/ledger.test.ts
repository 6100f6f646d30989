import { expect, it } from 'vitest'
import { parseLedger } from '../../nemesis/ledger.ts'

it('reads runs in the order of their begins, with the ends that belong to them', () => {
  const runs = parseLedger([
    'begin 1.00 ann-q-1 1 11 alone a succ',
    'begin 1.10 bob-q-1 1 12 beside b fail',
    'end 1.20 bob-q-1 1 12 beside b fail',
    'begin 1.30 ann-q-1 2 13 alone a succ',
    'end 1.40 ann-q-1 2 13 alone a succ',
  ])
  expect(runs.map(({ id, begin, end, beside }) => ({ id, begin, end, beside }))).toEqual([
    { id: 'a', begin: 1, end: undefined, beside: false },
    { id: 'b', begin: 1.1, end: 1.2, beside: true },
    { id: 'a', begin: 1.3, end: 1.4, beside: false },
  ])
})

it.each(['begin 1.00 ann', 'begun 1 w 1 2 alone a succ', 'end 1.0 w 1 2 alone a succ'])(
  'refuses %s',
  line => expect(() => parseLedger([line])).toThrow(/no line of a ledger|an end without a begin/),
)
