// Reads a command line by the table of commands; the same table prints the help.
import { parseArgs } from 'node:util';

export type Option = {
  /** What the help calls the value of the option; a switch has none. */
  readonly takes?: string;
  readonly help: string;
  /** Whether it may stand several times: its values are then on lines of one text. */
  readonly repeats?: boolean;
};

/** What a command gets: its file, its options, and what stood behind `--`, which is for the user's program. */
export type Invocation = {
  /** Empty for a command that takes none. */
  readonly file: string;
  /** For a command that takes several; empty where it is to find them. */
  readonly files?: readonly string[];
  /** A switch that is on has the value ''. */
  readonly options: ReadonlyMap<string, string>;
  readonly rest: readonly string[];
};

export type Command = {
  readonly summary: string;
  readonly options: Readonly<Record<string, Option>>;
  readonly example: string;
  /** Whether it looks at no FILE. */
  readonly takesNoFile?: boolean;
  /** Whether it takes any number of FILEs. */
  readonly takesFiles?: boolean;
  /** What stands where others have their FILE, if it is one of these words. */
  readonly actions?: readonly string[];
  readonly run: (invocation: Invocation) => Promise<number>;
};
export type Commands = Readonly<Record<string, Command>>;

/** A command line that means nothing. Its message is the one line that is shown. */
export class UsageError extends Error {}

const shared: Readonly<Record<string, Option>> = { help: { help: 'show this text' } };

/** What stands behind the name of a command; undefined where help is asked for. */
export function readArguments(name: string, command: Command, args: readonly string[]): Invocation | undefined {
  const options = new Map<string, string>();
  const files: string[] = [];
  const rest: string[] = [];
  let isRest = false;
  for (const token of tokensOf(command, args)) {
    if (token.kind === 'option-terminator') isRest = true;
    else if (token.kind === 'positional') (isRest ? rest : files).push(token.value);
    else {
      const value = optionValue(name, command, token.name, token.value);
      const before = command.options[token.name]?.repeats === true ? options.get(token.name) : undefined;
      options.set(token.name, before === undefined ? value : `${before}\n${value}`);
    }
  }
  if (options.has('help')) return undefined;
  const [file, second] = files;
  if (command.takesNoFile === true) {
    const extra = file ?? rest[0];
    if (extra !== undefined) throw new UsageError(`${name} takes no FILE, not '${extra}'`);
    return { file: '', options, rest };
  }
  if (command.actions !== undefined) {
    const asked = [...files, ...rest];
    if (asked.length !== 1 || !command.actions.includes(asked[0]!))
      throw new UsageError(`${name} wants one of ${command.actions.join(', ')}${file === undefined ? '' : `, not '${asked.join(' ')}'`}`);
    return { file: asked[0]!, options, rest: [] };
  }
  if (command.takesFiles === true) return { file: '', files: [...files, ...rest], options, rest: [] };
  if (file === undefined) throw new UsageError(`${name} wants a FILE, as in \`${command.example}\``);
  if (second !== undefined) throw new UsageError(`${name} takes one FILE, not '${second}' too; arguments for ${file} go behind \`--\``);
  return { file, options, rest };
}

/** Lenient parsing, so that the messages are ours: `-1` behind an option is its value, and an unknown option has a name of ours to suggest. */
function tokensOf(command: Command, args: readonly string[]) {
  const options = Object.entries({ ...command.options, ...shared }).map(
    ([name, { takes }]) => [name, { type: takes === undefined ? ('boolean' as const) : ('string' as const) }] as const,
  );
  return parseArgs({ args: [...args], options: Object.fromEntries(options), strict: false, tokens: true }).tokens;
}

function optionValue(command: string, { options }: Command, name: string, value: string | undefined): string {
  const option = Object.hasOwn(options, name) ? options[name] : Object.hasOwn(shared, name) ? shared[name] : undefined;
  if (option === undefined) {
    const known = Object.keys({ ...options, ...shared }).map((o) => `--${o}`);
    throw new UsageError(`${command} has no option ${name.length === 1 ? '-' : '--'}${name}; it has ${known.join(', ')}`);
  }
  if (option.takes === undefined && value !== undefined) throw new UsageError(`--${name} takes no value`);
  if (option.takes !== undefined && (value === undefined || value === ''))
    throw new UsageError(`--${name} wants ${option.takes}: ${option.help}`);
  return value ?? '';
}

/** The help of the whole command line. */
export function overview(commands: Commands): string {
  const lines = Object.entries(commands).map(
    ([name, command]) => [`fluxion ${name}${operandOf(command, 'FILE')}`, command.summary] as const,
  );
  return [
    'Usage: fluxion COMMAND [options] FILE [-- arguments of FILE]',
    '',
    ...columns(lines),
    '',
    'FILE is a JavaScript or TypeScript program, which is run, or graphs as text (.ir). FILE:name is what its exported function `name`',
    'compiles, which is called without arguments; of an .ir file, the graph of that name.',
    'Exit codes: 0 all is well; 1 the program, or what was checked, failed; 2 the command line or its file is wrong.',
    '`fluxion COMMAND --help` tells the options of a command; `fluxion --version` the version.',
  ].join('\n');
}

const operandOf = ({ takesNoFile, takesFiles, actions }: Command, file: string): string =>
  actions !== undefined ? ` ${actions.join('|')}` : takesNoFile ? '' : takesFiles ? ' [FILES]' : ` ${file}`;

export function helpOf(name: string, command: Command): string {
  const { summary, options, example } = command;
  const lines = Object.entries({ ...options, ...shared }).map(
    ([option, { takes, help }]) => [`--${option}${takes === undefined ? '' : ` ${takes}`}`, help] as const,
  );
  return [
    `Usage: fluxion ${name} [options]${operandOf(command, 'FILE[:name] [-- arguments of FILE]')}`,
    '',
    `${summary}.`,
    '',
    ...columns(lines),
    '',
    `Example: ${example}`,
  ].join('\n');
}

function columns(lines: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...lines.map(([left]) => left.length));
  return lines.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
