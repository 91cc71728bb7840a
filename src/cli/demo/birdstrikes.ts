import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { stringify } from 'csv-stringify/sync';
import type { Json } from '../../crypto/canonical.js';
import type { Row } from '../../synthesis/synthesizer.js';

/*
 * The demo's data: 10,000 wildlife strikes reported to the US Federal Aviation Administration, 1990 to 2002, as
 * npm `vega-datasets` ships them (US Government work), split by operator into eight files.
 *
 * Everything the members must agree on before they meet is public knowledge and written down here, never read
 * from the rows: the categories are the coding of the FAA's Wildlife Strike Database (Form 5200-7: phase of
 * flight, time of day, size, damage), the divisions of the US Census Bureau, aircraft families by type name and
 * bird families by common name; the years are the database's first year and the study's last; speeds end at
 * 400 knots (14 CFR 91.117 allows civil aircraft 250 knots below 10,000 feet, where nearly all strikes happen;
 * military types may exceed it). What fits nothing goes to an 'Other' by the rules below (hazard P16).
 */

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

/** US Census Bureau divisions; 'Other' is territories and abroad. */
const DIVISIONS: readonly (readonly [string, readonly string[]])[] = [
  ['New England', ['Connecticut', 'Maine', 'Massachusetts', 'New Hampshire', 'Rhode Island', 'Vermont']],
  ['Middle Atlantic', ['New Jersey', 'New York', 'Pennsylvania']],
  ['East North Central', ['Illinois', 'Indiana', 'Michigan', 'Ohio', 'Wisconsin']],
  [
    'West North Central',
    ['Iowa', 'Kansas', 'Minnesota', 'Missouri', 'Nebraska', 'North Dakota', 'South Dakota'],
  ],
  [
    'South Atlantic',
    [
      ...['DC', 'Delaware', 'Florida', 'Georgia', 'Maryland', 'North Carolina', 'South Carolina'],
      ...['Virginia', 'West Virginia'],
    ],
  ],
  ['East South Central', ['Alabama', 'Kentucky', 'Mississippi', 'Tennessee']],
  ['West South Central', ['Arkansas', 'Louisiana', 'Oklahoma', 'Texas']],
  ['Mountain', ['Arizona', 'Colorado', 'Idaho', 'Montana', 'Nevada', 'New Mexico', 'Utah', 'Wyoming']],
  ['Pacific', ['Alaska', 'California', 'Hawaii', 'Oregon', 'Washington']],
];

/** Families by type name, the first rule that matches. */
const AIRCRAFT: readonly (readonly [string, RegExp])[] = [
  ['Boeing 737', /^B-737/],
  ['Boeing 727', /^B-727/],
  ['Boeing 757', /^B-757/],
  ['DC-9 or MD-80', /^(DC-9|MD-[89]|B-717)/],
  ['Airbus A320 family', /^A-3(18|19|20|21)/],
  ['Wide-body or heavy', /^(B-7[467]7|B-707|A-3[0-9]{2}|DC-8|DC-10|MD-11|L-1011)/],
  ['Regional jet', /^(CL-RJ|EMB-1[3-9]|FOKKER|BA-146|AVRO)/],
  ['Turboprop', /^(SAAB|EMB-1[12]|BA-(31|41|ATP)|DHC|ATR|BE-1900|DORNIER|SHORTS|CV-580|SA22|MERLIN)/],
  [
    'Military type',
    /^(KC-|HC-|MC-|EC-|RC-|VC-|TC-|OA-|B-1B|B-52|C-(5|5[A-Z]|9|17|21|130|135|137|141)[A-Z]?$|E-\d|F-\d|A-(7|10)|P-3|T-\d|LOCKHEED C-)/,
  ],
];

/** Bird families by common name, the first rule that matches. */
const SPECIES: readonly (readonly [string, RegExp])[] = [
  ['Unknown, small', /^Unknown bird - small$/i],
  ['Unknown, medium', /^Unknown bird - medium$/i],
  ['Unknown, large', /^Unknown bird - large$/i],
  ['Unknown bird or bat', /^Unknown/i],
  ['Gull', /gull/i],
  ['Pigeon or dove', /pigeon|dove/i],
  ['Starling or blackbird', /starling|blackbird|meadowlark|grackle|cowbird/i],
  ['Hawk, owl or vulture', /hawk\b(?<!nighthawk)|kestrel|falcon|eagle|owl|vulture/i],
  ['Waterfowl or wader', /goose|geese|duck|mallard|heron|egret|crane|plover|killdeer|sandpiper/i],
  ['Mammal', /deer|coyote|fox|rabbit|skunk|dog/i],
];

const PHASES = [
  ...['Parked', 'Taxi', 'Take-off run', 'Climb', 'En Route', 'Descent', 'Approach', 'Landing Roll'],
] as const;
const DAMAGES = ['None', 'Minor', 'Medium', 'Substantial'] as const;
const OTHER = 'Other';
const MAX_SPEED_KNOTS = 400;
const FIRST_YEAR = 1990;
const LAST_YEAR = 2002;

const category = (name: string, title: string, values: readonly string[]): Record<string, Json> => ({
  name,
  title,
  type: 'string',
  constraints: { required: true, enum: [...values] },
});

/** Table Schema (Data Package v2) of the demo, 81 cells over ten columns. Goes into the charter as it is. */
export const BIRD_STRIKE_SCHEMA: Json = {
  $schema: 'https://datapackage.org/profiles/2.0/tableschema.json',
  fields: [
    {
      name: 'year',
      title: 'Year',
      type: 'year',
      constraints: { required: true, minimum: FIRST_YEAR, maximum: LAST_YEAR },
      'chorale:bins': [1990, 1992, 1994, 1996, 1998, 2000, 2002],
    },
    category('month', 'Month', MONTHS),
    category('region', 'Census division of the airport', [...DIVISIONS.map(([name]) => name), OTHER]),
    category('aircraft', 'Aircraft family', [...AIRCRAFT.map(([name]) => name), OTHER]),
    category('phase', 'Phase of flight', PHASES),
    {
      name: 'speed_knots',
      title: 'Indicated air speed (knots)',
      type: 'integer',
      constraints: { minimum: 0, maximum: MAX_SPEED_KNOTS },
      'chorale:bins': [0, 80, 100, 120, 140, 160, 180, 200, 220, 250, 300, MAX_SPEED_KNOTS],
    },
    category('time_of_day', 'Time of day', ['Dawn', 'Day', 'Dusk', 'Night']),
    category('species', 'Wildlife', [...SPECIES.map(([name]) => name), 'Other bird']),
    // What a model learns from these reports: how large an animal to expect. Whether it does damage would be asked first, but a tenth
    // of the strikes do any: of so few held-out rows the noise of a measurement leaves an area under ROC of 0.5 to 1.
    { ...category('size', 'Wildlife size', ['Small', 'Medium', 'Large']), 'chorale:label': true },
    category('damage', 'Damage', [...DAMAGES, OTHER]),
  ],
  missingValues: [''],
};

export interface BirdStrikeGroup {
  /** Also the name of its file. */
  readonly id: string;
  readonly name: string;
  readonly rows: readonly Row[];
}

export interface BirdStrikes {
  readonly schema: Json;
  /** Eight, in charter order. */
  readonly groups: readonly BirdStrikeGroup[];
  /** A tenth of the rows, kept from every participant: the yardstick 'real hold-out'. */
  readonly holdOut: readonly Row[];
}

const OPERATOR_GROUPS: ReadonlyMap<string, string> = new Map([
  ['AMERICAN AIRLINES', 'american'],
  ['US AIRWAYS*', 'us-airways'],
  ['DELTA AIR LINES', 'delta'],
  ['SOUTHWEST AIRLINES', 'southwest'],
  ['MILITARY', 'military'],
  ['UNITED AIRLINES', 'united'],
  // The cargo carriers, and everything that sells no seats; all else is a passenger airline.
  ...['FEDEX EXPRESS', 'UPS AIRLINES', 'ABX AIR', 'ASTAR AIR CARGO', 'BUSINESS', 'PRIVATELY OWNED'].map(
    (operator) => [operator, 'cargo-and-business'] as const,
  ),
  ...['EXECUTIVE JET AVIATION', 'GOVERNMENT', 'UNKNOWN'].map(
    (operator) => [operator, 'cargo-and-business'] as const,
  ),
]);

const GROUP_NAMES: readonly (readonly [string, string])[] = [
  ['american', 'American Airlines'],
  ['us-airways', 'US Airways'],
  ['delta', 'Delta Air Lines'],
  ['southwest', 'Southwest Airlines'],
  ['military', 'Military'],
  ['united', 'United Airlines'],
  ['cargo-and-business', 'Cargo, business and private'],
  ['other-airlines', 'Other passenger airlines'],
];

/** Row `index` of the file (0-based, without its header) is held out: SHA-256 of a fixed label, a tenth of all. */
export function isHeldOut(index: number): boolean {
  return (
    createHash('sha256').update(`chorale birdstrikes hold-out ${index}`).digest().readUInt32BE(0) % 10 === 0
  );
}

function field(record: Readonly<Record<string, string>>, name: string): string {
  const value = record[name];
  if (value === undefined)
    throw new Error(`birdstrikes.csv has no column "${name}": another vega-datasets version?`);
  return value;
}

const oneOf = (values: readonly string[], value: string, otherwise: string): string =>
  values.includes(value) ? value : otherwise;

const firstMatch = (
  rules: readonly (readonly [string, RegExp])[],
  value: string,
  otherwise: string,
): string => rules.find(([, pattern]) => pattern.test(value))?.[0] ?? otherwise;

function toRow(record: Readonly<Record<string, string>>): Row {
  const [year, month] = field(record, 'Flight Date').split('-').map(Number);
  const state = field(record, 'Origin State');
  const speed = field(record, 'Speed IAS in knots');
  const knots = Math.round(Number(speed));
  return {
    year: Math.min(Math.max(year ?? FIRST_YEAR, FIRST_YEAR), LAST_YEAR),
    month: MONTHS[(month ?? 1) - 1] ?? 'Jan',
    region: DIVISIONS.find(([, states]) => states.includes(state))?.[0] ?? OTHER,
    aircraft: firstMatch(AIRCRAFT, field(record, 'Aircraft Make Model'), OTHER),
    phase: oneOf(PHASES, field(record, 'Phase of flight'), 'En Route'),
    speed_knots: speed === '' ? null : Math.min(Math.max(knots, 0), MAX_SPEED_KNOTS),
    time_of_day: field(record, 'Time of day'),
    species: firstMatch(SPECIES, field(record, 'Wildlife Species'), 'Other bird'),
    size: field(record, 'Wildlife Size'),
    damage: oneOf(DAMAGES, field(record, 'Effect Amount of damage'), OTHER),
  };
}

function readRecords(): Record<string, string>[] {
  // The package exports its entry point only; the data lie beside the folder of that file.
  const entry = createRequire(import.meta.url).resolve('vega-datasets');
  const file = join(dirname(entry), '..', 'data', 'birdstrikes.csv');
  return parse(readFileSync(file), { columns: true, bom: true });
}

/** The eight members' rows and the hold-out, in file order: the same at every call. Reads 1.2 MB. */
export function loadBirdStrikes(): BirdStrikes {
  const rows = new Map<string, Row[]>(GROUP_NAMES.map(([id]) => [id, []]));
  const holdOut: Row[] = [];
  for (const [index, record] of readRecords().entries()) {
    const group = OPERATOR_GROUPS.get(field(record, 'Aircraft Airline Operator')) ?? 'other-airlines';
    (isHeldOut(index) ? holdOut : rows.get(group)!).push(toRow(record));
  }
  return {
    schema: BIRD_STRIKE_SCHEMA,
    groups: GROUP_NAMES.map(([id, name]) => ({ id, name, rows: rows.get(id)! })),
    holdOut,
  };
}

/** Writes `<id>.csv` for each member into `directory` (made if missing). The hold-out is not written anywhere. */
export async function writeGroupCsv(
  directory: string,
): Promise<
  readonly { readonly id: string; readonly name: string; readonly path: string; readonly rows: number }[]
> {
  await mkdir(directory, { recursive: true });
  const written = [];
  for (const { id, name, rows } of loadBirdStrikes().groups) {
    const path = join(directory, `${id}.csv`);
    await writeFile(path, stringify([...rows], { header: true }));
    written.push({ id, name, path, rows: rows.length });
  }
  return written;
}
