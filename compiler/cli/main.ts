// The `fluxion` command: finds the command, runs it, and turns mistakes into one line and an exit code.
// Exit codes: 0 all is well; 1 the user's program or a compilation failed; 2 the command line or its file is wrong.
import { helpOf, overview, readArguments, UsageError } from './arguments.ts';
import { commands } from './commands.ts';

export async function main(args: readonly string[]): Promise<number> {
  try {
    return await dispatch(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`fluxion: ${error.message}`);
    return 2;
  }
}

async function dispatch([name, ...args]: readonly string[]): Promise<number> {
  switch (name) {
    case undefined:
      console.error(overview(commands));
      return 2;
    case '--help':
    case '-h':
    case 'help':
      console.log(overview(commands));
      return 0;
    case '--version':
      console.log(await version());
      return 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    throw new UsageError(
      `there is no ${name.startsWith('-') ? 'option' : 'command'} '${name}'; use ${Object.keys(commands).join(', ')} or --help`,
    );
  }
  const invocation = readArguments(name, command, args);
  if (invocation !== undefined) return command.run(invocation);
  console.log(helpOf(name, command));
  return 0;
}

async function version(): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  // From the sources it lies two folders up, from dist/ three.
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      return (JSON.parse(await readFile(new URL(path, import.meta.url), 'utf8')) as { version: string }).version;
    } catch {}
  }
  throw new UsageError('the package.json of fluxion is missing');
}
