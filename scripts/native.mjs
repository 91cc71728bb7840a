#!/usr/bin/env node
/**
 * `npm run native`: TensorFlow's native engine from package registries alone, for networks that block the host from
 * which @tensorflow/tfjs-node's own install script downloads libtensorflow. The library is taken out of the PyPI wheel of
 * tensorflow-cpu, and the Node binding is compiled against it. Linux on x86-64 with glibc; needs python3 with pip, and g++.
 *
 *   node scripts/native.mjs [--into FOLDER]     FOLDER: where node_modules is; default: this project
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const TFJS_NODE = '@tensorflow/tfjs-node@4.22.0';
const TENSORFLOW = 'tensorflow-cpu==2.15.1';
const LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];

function fail(message) {
  process.stderr.write(`native: ${message}\n`);
  process.exit(1);
}

function say(message) {
  process.stdout.write(`native: ${message}\n`);
}

function run(command, args, what, options = {}) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], ...options });
  if (error) fail(`${what}: ${command} could not be started (${error.code}).`);
  if (status !== 0) fail(`${what} failed; what ${command} said is above.`);
}

function has(command, args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

const { values } = parseArgs({
  options: { into: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
});
if (values.help) {
  say('node scripts/native.mjs [--into FOLDER]; builds TensorFlow’s native engine into FOLDER/node_modules');
  process.exit(0);
}
const project = resolve(values.into ?? join(dirname(fileURLToPath(import.meta.url)), '..'));
if (process.platform !== 'linux' || process.arch !== 'x64')
  fail(
    `this works on Linux x86-64 only, not on ${process.platform} ${process.arch}; the WebAssembly engine runs everywhere.`,
  );
if (!has('python3', ['-m', 'pip', '--version']))
  fail(
    'python3 with pip is needed to fetch the TensorFlow wheel (Debian, Ubuntu: apt-get install python3-pip).',
  );
if (!has('g++', ['--version']))
  fail('g++ is needed to compile the binding (Debian, Ubuntu: apt-get install g++).');
if (!existsSync(join(project, 'package.json')))
  fail(`${project} has no package.json; run npm init there first.`);

say(`1/4 ${TFJS_NODE} and node-api-headers from npm`);
run(
  'npm',
  ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', TFJS_NODE, 'node-api-headers'],
  'npm install',
  {
    cwd: project,
  },
);
const modules = join(project, 'node_modules');
const target = join(modules, '@tensorflow', 'tfjs-node');

const scratch = mkdtempSync(join(tmpdir(), 'chorale-native-'));
try {
  say(`2/4 ${TENSORFLOW} from PyPI (about 200 MB)`);
  const wheelOptions = [
    '--no-deps',
    '--only-binary=:all:',
    '--python-version',
    '3.11',
    '--platform',
    'manylinux_2_17_x86_64',
  ];
  run(
    'python3',
    [
      '-m',
      'pip',
      'download',
      '--quiet',
      '--disable-pip-version-check',
      ...wheelOptions,
      '-d',
      scratch,
      TENSORFLOW,
    ],
    'pip download',
  );
  const wheel = readdirSync(scratch).find((name) => name.endsWith('.whl'));
  if (wheel === undefined) fail('pip downloaded no wheel.');

  say('3/4 libtensorflow and its headers out of the wheel');
  run(
    'python3',
    ['-m', 'zipfile', '-e', join(scratch, wheel), join(scratch, 'wheel')],
    'unpacking the wheel',
  );
  const unpacked = join(scratch, 'wheel', 'tensorflow');
  const library = join(target, 'deps', 'lib');
  rmSync(join(target, 'deps'), { recursive: true, force: true });
  mkdirSync(library, { recursive: true });
  for (const name of LIBRARIES) await cp(join(unpacked, name), join(library, name));
  symlinkSync('libtensorflow_cc.so.2', join(library, 'libtensorflow.so'));
  symlinkSync('libtensorflow_framework.so.2', join(library, 'libtensorflow_framework.so'));
  await cp(join(unpacked, 'include'), join(target, 'deps', 'include'), { recursive: true });
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

say('4/4 the binding, with g++');
const binding = join(target, 'binding');
const out = join(target, 'lib', 'napi-v8');
mkdirSync(out, { recursive: true });
run(
  'g++',
  [
    ...['-O2', '-std=c++17', '-shared', '-fPIC', '-DNAPI_VERSION=8'],
    ...readdirSync(binding)
      .filter((name) => name.endsWith('.cc'))
      .map((name) => join(binding, name)),
    ...['-I', join(target, 'deps', 'include'), '-I', join(modules, 'node-api-headers', 'include')],
    ...['-L', join(target, 'deps', 'lib'), '-ltensorflow', '-ltensorflow_framework'],
    '-Wl,-rpath,$ORIGIN/../../deps/lib',
    ...['-o', join(out, 'tfjs_binding.node')],
  ],
  'compiling',
);

// In a process of its own: what counts is that a fresh one can load it.
const check = `
  const util = require('node:util');
  util.isNullOrUndefined ??= (value) => value == null;
  util.isArray ??= Array.isArray;
  const tf = require(${JSON.stringify(createRequire(join(project, 'package.json')).resolve('@tensorflow/tfjs-node'))});
  const product = tf.matMul([[1, 2]], [[3], [4]]).dataSync()[0];
  if (tf.getBackend() !== 'tensorflow' || product !== 11) process.exit(1);`;
try {
  execFileSync(process.execPath, ['-e', check], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' },
  });
} catch {
  fail('the binding was built but could not be loaded; what Node said is above.');
}
say(
  'done: Chorale takes the native engine from now on. `npm ci` removes it, CHORALE_ENGINE=wasm goes without it.',
);
